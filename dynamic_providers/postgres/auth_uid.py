"""`auth.uid()`: who a tenant's own end user is, as its policies ask for it.

It answers the setting `app.user_id` of the session or transaction as a uuid, and NULL where that is unset or empty, so
that a policy lets nobody through. A text that is no uuid is an error: it is a fault of the application that set it, and
taken for nobody it would look like a table without rows.

Every name in the body is qualified, operators and types too, so no search_path can put another one in its place. A SET
clause would do the same and keep the planner from inlining the call, which a policy pays for with every row.
"""

UID_BODY = (
    "SELECT CASE WHEN pg_catalog.current_setting('app.user_id', true) OPERATOR(pg_catalog.<>) '' "
    "THEN pg_catalog.current_setting('app.user_id', true)::pg_catalog.uuid END"
)
UID_COMMENT = "The end user named by the setting app.user_id; made by tenantry"
"""By it a function whose text is another one is known as ours, of another version or changed by somebody."""
