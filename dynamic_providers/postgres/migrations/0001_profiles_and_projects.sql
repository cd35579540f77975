-- A tenant's end users and what is theirs.

-- A table of that name that the tenant has made for something else is not ours to put policies on.
DO $$
DECLARE
    missing text;
BEGIN
    SELECT string_agg(format('%s.%s %s', relation, attribute, kind), ', ') INTO missing
    FROM (VALUES
        ('profiles', 'id', 'uuid'),
        ('profiles', 'email', 'text'),
        ('profiles', 'name', 'text'),
        ('profiles', 'avatar_url', 'text'),
        ('profiles', 'created_at', 'timestamptz'),
        ('projects', 'id', 'uuid'),
        ('projects', 'name', 'text'),
        ('projects', 'description', 'text'),
        ('projects', 'owner_id', 'uuid'),
        ('projects', 'created_at', 'timestamptz')
    ) AS wanted (relation, attribute, kind)
    WHERE to_regclass(relation) IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass(relation) AND attname = attribute AND atttypid = kind::regtype
    );
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'there are tables profiles or projects of another kind, without %: rename them', missing
            USING ERRCODE = 'duplicate_table';
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS profiles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email text UNIQUE NOT NULL,
    name text,
    avatar_url text,
    created_at timestamptz DEFAULT now()
);

CREATE TABLE IF NOT EXISTS projects (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    description text,
    owner_id uuid REFERENCES profiles (id),
    created_at timestamptz DEFAULT now()
);
