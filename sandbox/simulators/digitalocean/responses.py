"""Handlers: request in, rule, document's shape out."""

from sandbox.simulators.digitalocean import clusters, dbs, pools, tags, users, views
from sandbox.simulators.digitalocean.calls import Answer, Call
from sandbox.simulators.digitalocean.schemas import (
    CreateCluster,
    CreateDb,
    CreatePool,
    CreateTag,
    CreateUser,
    MaintenanceWindow,
    ReplaceRules,
    ResetAuth,
    ResizeCluster,
    TagResources,
    UpdatePool,
)
from sandbox.simulators.digitalocean.state import State


def list_options(state: State, _call: Call) -> Answer:
    """What may be ordered."""
    return Answer(200, views.options(state.clock()))


def list_clusters(state: State, call: Call) -> Answer:
    """One page of clusters, or of those that carry a tag."""
    found = clusters.listed(state, call.query.get("tag_name") or None)
    return call.page("databases", [views.cluster(state, each) for each in found])


def create_cluster(state: State, call: Call) -> Answer:
    """Order a cluster."""
    made = clusters.create(state, call.body(CreateCluster), stuck=call.struck_by("stuck"))
    return Answer(201, {"database": views.cluster(state, made)})


def get_cluster(state: State, call: Call) -> Answer:
    """One cluster."""
    return Answer(200, {"database": views.cluster(state, clusters.get(state, call.cluster))})


def delete_cluster(state: State, call: Call) -> Answer:
    """Delete a cluster."""
    clusters.delete(state, call.cluster)
    return Answer(204)


def resize_cluster(state: State, call: Call) -> Answer:
    """Change a cluster's size; done in the background."""
    clusters.resize(state, call.cluster, call.body(ResizeCluster), stuck=call.struck_by("stuck"))
    return Answer(202)


def move_window(state: State, call: Call) -> Answer:
    """Choose a maintenance window."""
    clusters.move_window(state, call.cluster, call.body(MaintenanceWindow))
    return Answer(204)


def get_certificate(state: State, call: Call) -> Answer:
    """The CA of a cluster's certificate."""
    clusters.get(state, call.cluster)
    return Answer(200, {"ca": views.certificate(state)})


def list_backups(state: State, call: Call) -> Answer:
    """The copies of a cluster; none is made by hand."""
    return Answer(200, views.backups(state, clusters.get(state, call.cluster)))


def list_rules(state: State, call: Call) -> Answer:
    """The trusted sources of a cluster."""
    cluster = clusters.get(state, call.cluster)
    return Answer(200, {"rules": [views.rule(cluster, each) for each in cluster.rules]})


def replace_rules(state: State, call: Call) -> Answer:
    """Replace the trusted sources of a cluster."""
    clusters.replace_rules(state, call.cluster, call.body(ReplaceRules).rules)
    return Answer(204)


def list_dbs(state: State, call: Call) -> Answer:
    """One page of a cluster's databases."""
    return call.page("dbs", [views.db(each) for each in dbs.listed(state, call.cluster)])


def create_db(state: State, call: Call) -> Answer:
    """Make a database."""
    return Answer(201, {"db": views.db(dbs.create(state, call.cluster, call.body(CreateDb)))})


def get_db(state: State, call: Call) -> Answer:
    """One database."""
    return Answer(200, {"db": views.db(dbs.get(state, call.cluster, call.path["database_name"]))})


def delete_db(state: State, call: Call) -> Answer:
    """Drop a database."""
    dbs.delete(state, call.cluster, call.path["database_name"])
    return Answer(204)


def list_users(state: State, call: Call) -> Answer:
    """One page of a cluster's logins."""
    return call.page("users", [views.user(each) for each in users.listed(state, call.cluster)])


def create_user(state: State, call: Call) -> Answer:
    """Make a login."""
    return Answer(201, {"user": views.user(users.create(state, call.cluster, call.body(CreateUser)))})


def get_user(state: State, call: Call) -> Answer:
    """One login."""
    return Answer(200, {"user": views.user(users.get(state, call.cluster, call.path["username"]))})


def delete_user(state: State, call: Call) -> Answer:
    """Drop a login."""
    users.delete(state, call.cluster, call.path["username"])
    return Answer(204)


def reset_user(state: State, call: Call) -> Answer:
    """Give a login a new password."""
    call.body(ResetAuth)
    return Answer(200, {"user": views.user(users.reset(state, call.cluster, call.path["username"]))})


def list_pools(state: State, call: Call) -> Answer:
    """One page of a cluster's pools."""
    return call.page("pools", [views.pool(state, each) for each in pools.listed(state, call.cluster)])


def create_pool(state: State, call: Call) -> Answer:
    """Make a pool."""
    return Answer(201, {"pool": views.pool(state, pools.create(state, call.cluster, call.body(CreatePool)))})


def get_pool(state: State, call: Call) -> Answer:
    """One pool."""
    return Answer(200, {"pool": views.pool(state, pools.get(state, call.cluster, call.path["pool_name"]))})


def update_pool(state: State, call: Call) -> Answer:
    """Change a pool."""
    pools.update(state, call.cluster, call.path["pool_name"], call.body(UpdatePool))
    return Answer(204)


def delete_pool(state: State, call: Call) -> Answer:
    """Delete a pool."""
    pools.delete(state, call.cluster, call.path["pool_name"])
    return Answer(204)


def list_droplets(_state: State, call: Call) -> Answer:
    """The account's droplets, of which the simulator has none: who looks for all that is his asks for them, too."""
    return call.page("droplets", [])


def list_tags(state: State, call: Call) -> Answer:
    """One page of tags."""
    return call.page("tags", [views.tag(state, each) for each in state.tags.all()])


def create_tag(state: State, call: Call) -> Answer:
    """Make a tag."""
    return Answer(201, {"tag": views.tag(state, tags.create(state, call.body(CreateTag)))})


def get_tag(state: State, call: Call) -> Answer:
    """One tag."""
    return Answer(200, {"tag": views.tag(state, tags.get(state, call.path["tag_id"]))})


def delete_tag(state: State, call: Call) -> Answer:
    """Delete a tag."""
    tags.delete(state, call.path["tag_id"])
    return Answer(204)


def put_tag(state: State, call: Call) -> Answer:
    """Put a tag on things."""
    tags.mark(state, call.path["tag_id"], call.body(TagResources), carried=True)
    return Answer(204)


def take_tag(state: State, call: Call) -> Answer:
    """Take a tag off things."""
    tags.mark(state, call.path["tag_id"], call.body(TagResources), carried=False)
    return Answer(204)
