-- The records of tenants, their permissions and their usage. Run once, in one transaction, by the database's owner.
-- Row level security is forced, so the owner needs a policy too; nothing depends on BYPASSRLS, which no managed
-- database gives away.

-- Whoever is a member of this role sees the records as the user that the setting `app.user_id` names.
DO $$
BEGIN
    CREATE ROLE tenantry_platform_user NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- another database of this server has made it
END
$$;

-- Nobody reaches this database by belonging to PUBLIC, as every login of a server does.
DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO tenantry_platform_user', current_database());
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO tenantry_platform_user;

CREATE SCHEMA auth;
GRANT USAGE ON SCHEMA auth TO tenantry_platform_user;
CREATE FUNCTION auth.uid() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(pg_catalog.current_setting('app.user_id', true), '') $$;
REVOKE ALL ON FUNCTION auth.uid() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.uid() TO tenantry_platform_user;

CREATE TABLE public.platform_tenants (
    id text PRIMARY KEY,
    name text NOT NULL,
    -- Where the credentials are found, never the credentials.
    connection_string text NOT NULL
        CHECK (connection_string ~ '^pulumi:[A-Za-z0-9_.-]+/[a-z0-9-]+$' AND split_part(connection_string, '/', 2) = id),
    plan_type text NOT NULL DEFAULT 'free' CHECK (plan_type IN ('free', 'pro', 'team', 'enterprise')),
    user_id text,
    organization_id text,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('creating', 'active', 'suspended', 'deleted')),
    limits jsonb NOT NULL DEFAULT '{"max_databases": 1, "max_storage_mb": 100, "max_requests_per_day": 10000}'
        CHECK (jsonb_typeof(limits) = 'object'),
    subscription_id text,
    billing_email text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_platform_tenants_user_id ON public.platform_tenants (user_id);

CREATE TABLE public.tenant_permissions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id text NOT NULL REFERENCES public.platform_tenants (id),
    user_id text NOT NULL,
    role text NOT NULL DEFAULT 'developer' CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
    granted_by text,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, user_id)
);
CREATE INDEX idx_tenant_permissions_tenant_id ON public.tenant_permissions (tenant_id);
CREATE INDEX idx_tenant_permissions_user_id ON public.tenant_permissions (user_id);

CREATE TABLE public.tenant_usage (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id text NOT NULL REFERENCES public.platform_tenants (id),
    date date NOT NULL,
    api_requests bigint NOT NULL DEFAULT 0 CHECK (api_requests >= 0),
    query_executions bigint NOT NULL DEFAULT 0 CHECK (query_executions >= 0),
    storage_used_mb bigint NOT NULL DEFAULT 0 CHECK (storage_used_mb >= 0),
    bandwidth_used_mb bigint NOT NULL DEFAULT 0 CHECK (bandwidth_used_mb >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, date)
);
CREATE INDEX idx_tenant_usage_tenant_date ON public.tenant_usage (tenant_id, date);

CREATE FUNCTION public.touch_platform_tenant() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN NEW.updated_at := pg_catalog.now(); RETURN NEW; END $$;
REVOKE ALL ON FUNCTION public.touch_platform_tenant() FROM PUBLIC;
CREATE TRIGGER touch BEFORE UPDATE ON public.platform_tenants
    FOR EACH ROW EXECUTE FUNCTION public.touch_platform_tenant();

-- What a user may write is a matter of columns too: nobody raises a limit or makes a suspended tenant active.
GRANT SELECT ON public.platform_tenants, public.tenant_permissions, public.tenant_usage TO tenantry_platform_user;
GRANT INSERT (id, name, connection_string, user_id, organization_id, billing_email)
    ON public.platform_tenants TO tenantry_platform_user;
GRANT UPDATE (name, organization_id, billing_email) ON public.platform_tenants TO tenantry_platform_user;

ALTER TABLE public.platform_tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE public.tenant_permissions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE public.tenant_usage ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY "The owner keeps the records" ON public.platform_tenants TO CURRENT_USER
    USING (true) WITH CHECK (true);
CREATE POLICY "The owner keeps the records" ON public.tenant_permissions TO CURRENT_USER
    USING (true) WITH CHECK (true);
CREATE POLICY "The owner keeps the records" ON public.tenant_usage TO CURRENT_USER
    USING (true) WITH CHECK (true);

CREATE POLICY "Users can view their own permissions" ON public.tenant_permissions FOR SELECT
    USING (user_id = (SELECT auth.uid()));
CREATE POLICY "Users can view their own tenants" ON public.platform_tenants FOR SELECT
    USING (
        user_id = (SELECT auth.uid())
        OR EXISTS (
            SELECT FROM public.tenant_permissions AS held
            WHERE held.tenant_id = platform_tenants.id AND held.user_id = (SELECT auth.uid())
        )
    );
CREATE POLICY "Users can create tenants" ON public.platform_tenants FOR INSERT
    WITH CHECK (user_id = (SELECT auth.uid()));
CREATE POLICY "Owners can update their tenants" ON public.platform_tenants FOR UPDATE
    USING (
        user_id = (SELECT auth.uid())
        OR EXISTS (
            SELECT FROM public.tenant_permissions AS held
            WHERE held.tenant_id = platform_tenants.id AND held.user_id = (SELECT auth.uid()) AND held.role = 'owner'
        )
    );
CREATE POLICY "Users can view the usage of their tenants" ON public.tenant_usage FOR SELECT
    USING (EXISTS (SELECT FROM public.platform_tenants AS seen WHERE seen.id = tenant_usage.tenant_id));
