"""An archive back into a database, in one transaction: whoever kills it finds everything as it was.

A name in the archive is never rewritten. The schema is made under the name it had, while the one that lives under that
name is set aside, and both are renamed before the transaction ends: until then nobody else sees any of it, and
PostgreSQL itself carries the names in views, defaults and constraints along. What it keeps as text it does not:
functions whose body or settings name the schema are told in `Loaded.notes`.
"""

import re
import secrets
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import psycopg
from psycopg import errors, sql

from dynamic_providers.postgres.names import DEDICATED_SCHEMA, EXTENSIONS_SCHEMA
from lifecycle.contents import contents
from lifecycle.courier import TenantPlace, connect, courier, give_back_public
from lifecycle.dump import CHUNK, DUMP, About, about, sentence
from lifecycle.errors import DamagedError, DataError
from lifecycle.programs import Programs

# Everything a pg_restore script sets at its head that matters here; the rest of the head is left out, because newer
# programs set there what older servers do not know.
_SETTINGS = "SET check_function_bodies = off; SET xmloption = content"
_FIRST_ENTRY = re.compile(rb"^--\n-- (Data for )?Name: ", re.MULTILINE)
_LAST_COMMAND = re.compile(rb"^\\unrestrict \w+\s*\Z", re.MULTILINE)
_LISTED = re.compile(r"\d+; \d+ \d+ (?P<rest>.+)")
_SCHEMA_ENTRIES = ("SCHEMA ", "COMMENT - SCHEMA ", "ACL - SCHEMA ")
_GRANTS = ("ACL ", "DEFAULT ACL ")
_COPY_END = b"\\.\n"
_IS_EMPTY = """
SELECT NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid)
   AND NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = n.oid)
   AND NOT EXISTS (SELECT FROM pg_type WHERE typnamespace = n.oid), obj_description(n.oid, 'pg_namespace')
FROM pg_namespace AS n WHERE nspname = %s
"""
_NAMED_IN_TEXT = """
SELECT proname::text FROM pg_proc WHERE pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = %(schema)s)
AND (prosrc ~ %(pattern)s OR array_to_string(proconfig, ' ') ~ %(pattern)s) ORDER BY proname
"""
_USERS = "SELECT rolname::text FROM pg_roles WHERE rolname = ANY (%s) AND has_schema_privilege(oid, %s, 'USAGE')"
_SCHEMAS = "SELECT oid, nspname::text FROM pg_namespace WHERE pg_get_userbyid(nspowner) = ANY (%s)"
_OWNED = """
SELECT count(*) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o'
AND refobjid = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND classid <> 'pg_namespace'::regclass
AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@dataclass(frozen=True)
class Loaded:
    """What was loaded and verified; `kept_as` is the former schema's name, "" where it was empty or nothing is kept."""

    about: About
    kept_as: str = ""
    notes: tuple[str, ...] = ()


def load(
    place: TenantPlace, archive: IO[bytes], programs: Programs, *, keep_as: str = "", rehearse: bool = False
) -> Loaded:
    """Make the tenant's schema what the archive holds, verified by rows and checksums before anybody sees it.

    `archive` is a seekable file. A schema that holds anything is kept under the name `keep_as`, or the load is refused.
    With `rehearse` all is done, verified, and undone.

    Raises:
        DataError: and its kinds; nothing was changed.
        PostgresError: the cluster's admin was refused, or cannot reach it.

    """
    told = about(archive)
    names = {place.schema, told.schema_name}
    with courier(place, loads=True, public=DEDICATED_SCHEMA in names) as address, connect(address) as connection:
        programs.require(connection.info.server_version)
        try:
            with TemporaryDirectory(prefix="tenantry-") as folder, connection.transaction(force_rollback=rehearse):
                loaded = _Load(connection, place, told, Path(folder), programs).run(archive, keep_as)
        except psycopg.Error as error:
            raise DataError(f"{place} cannot be loaded, nothing was changed: {sentence(error)}") from None
        except (zipfile.BadZipFile, KeyError, EOFError):
            raise DamagedError("the archive is damaged: an entry is missing or its checksum is wrong") from None
    if place.schema == DEDICATED_SCHEMA and not rehearse:
        give_back_public(place)
    return loaded


@dataclass(frozen=True)
class _Load:
    """One load inside its transaction."""

    connection: psycopg.Connection
    place: TenantPlace
    about: About
    folder: Path
    programs: Programs

    def run(self, archive: IO[bytes], keep_as: str) -> Loaded:
        source, target = self.about.schema_name, self.place.schema
        before = self._schemas()
        token = secrets.token_hex(4)
        aside = keep_as or f"aside_{token}"
        empty, comment = self._look(target)
        if empty is False and not keep_as:
            raise DataError(f"{self.place} is not empty, so nothing is loaded into it: name what to keep it as")
        if empty is not None:
            self._run("ALTER SCHEMA {} RENAME TO {}", target, aside)
            self._run("ALTER SCHEMA {} OWNER TO {}", aside, self.place.owner)
        displaced = source != target and self._look(source)[0] is not None
        if displaced:
            self._run("ALTER SCHEMA {} RENAME TO {}", source, f"displaced_{token}")
        self._run("CREATE SCHEMA {} AUTHORIZATION {}", source, self.place.owner)
        people = [] if empty is None else self.connection.execute(_USERS, [self.place.people, aside]).fetchall()
        left_out = self._fill(archive)
        self._verify()
        notes = (*left_out, *self._named_in_text())
        if source != target:
            self._run("ALTER SCHEMA {} RENAME TO {}", source, target)
        if displaced:
            self._run("ALTER SCHEMA {} RENAME TO {}", f"displaced_{token}", source)
        for (name,) in people:
            self._run("GRANT USAGE ON SCHEMA {} TO {}", target, name)
        if empty:
            self._run("DROP SCHEMA {} RESTRICT", aside)
        if comment:
            statement = sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(target), sql.Literal(comment))
            self.connection.execute(statement)
        self._refuse_surprises(before, {aside, target})
        return Loaded(self.about, aside if empty is False else "", notes)

    def _fill(self, archive: IO[bytes]) -> tuple[str, ...]:
        """Everything in the archive, in its order; answers what was left out of it."""
        dumped = self.folder / DUMP
        with zipfile.ZipFile(archive) as entries:
            with entries.open(DUMP) as entry, dumped.open("wb") as file:
                shutil.copyfileobj(entry, file, CHUNK)
            objects, grants = self._lists(dumped)
            self._act(self.place.owner)
            self._script(dumped, objects, "pre-data")
            self._act(self.place.owner)
            self._data(dumped, objects)
            for table in self.about.forced:
                self._copy_in(entries, table.entry, sql.Identifier(self.about.schema_name, table.name), table.columns)
        self._act(self.place.owner)
        self._script(dumped, objects, "post-data")
        self._act(None)
        return tuple(self._grants(dumped, grants))

    def _lists(self, dumped: Path) -> tuple[Path, Path]:
        """Two tables of contents for pg_restore: what is made, and the grants; the schema itself is in neither."""
        objects: list[str] = []
        grants: list[str] = []
        for line in self.programs.listing(dumped):
            found = _LISTED.match(line)
            if found and not found["rest"].startswith(_SCHEMA_ENTRIES):
                (grants if found["rest"].startswith(_GRANTS) else objects).append(line)
        for name, lines in (("objects", objects), ("grants", grants)):
            (self.folder / name).write_text("\n".join([*lines, ""]))
        return self.folder / "objects", self.folder / "grants"

    def _script(self, dumped: Path, listed: Path, section: str) -> None:
        with self.programs.script(dumped, [*_SCRIPT, f"--use-list={listed}", f"--section={section}"]) as output:
            if script := _body(output.read()):
                self.connection.execute(script)

    def _data(self, dumped: Path, listed: Path) -> None:
        """The script's COPY statements, each with its rows, and the values of sequences."""
        with self.programs.script(dumped, [*_SCRIPT, f"--use-list={listed}", "--section=data"]) as output:
            for line in output:
                if line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n"):
                    with self.connection.cursor().copy(line) as copy:
                        for chunk in _chunks(output):
                            copy.write(chunk)
                elif line.startswith(b"SELECT pg_catalog.setval("):
                    self.connection.execute(line)

    def _copy_in(self, entries: zipfile.ZipFile, entry: str, table: sql.Identifier, columns: Sequence[str]) -> None:
        listed = sql.SQL(", ").join(map(sql.Identifier, columns))
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(table, listed)
        with entries.open(entry) as rows, self.connection.cursor().copy(query) as copy:
            while chunk := rows.read(CHUNK):
                copy.write(chunk)

    def _grants(self, dumped: Path, listed: Path) -> Iterator[str]:
        """Grants one by one: a role that is not here gets none, another's default rights stay; both are told.

        The tenant's own access roles are not: where they are missing, they come with their rights after the move.
        """
        people = [role.encode() for role in self.place.people]
        with self.programs.script(dumped, [*_SCRIPT, f"--use-list={listed}"]) as output:
            script = _body(output.read())
        lines = (line for line in script.split(b"\n") if not line.startswith((b"--", b"SET ")))
        for statement in b"\n".join(lines).split(b";\n"):
            if not statement.strip():
                continue
            try:
                with self.connection.transaction():
                    self.connection.execute(statement)
            except (errors.UndefinedObject, errors.InsufficientPrivilege) as error:
                if isinstance(error, errors.UndefinedObject) and any(role in statement for role in people):
                    continue
                yield f"a grant was left out: {error.diag.message_primary}"

    def _verify(self) -> None:
        if wrong := self.about.contents.differences(contents(self.connection, self.about.schema_name)):
            more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""  # noqa: PLR2004  a sentence, not a report
            raise DamagedError(f"what was loaded is not what was dumped: {'; '.join(wrong[:3])}{more}")

    def _named_in_text(self) -> list[str]:
        source = self.about.schema_name
        if source == self.place.schema:
            return []
        pattern = rf"\m{re.escape(source)}\M"
        found = self.connection.execute(_NAMED_IN_TEXT, {"schema": source, "pattern": pattern})
        return [f"function {name} names schema {source} in its text, which stays as it is" for (name,) in found]

    def _refuse_surprises(self, before: dict[int, str], ours: set[str]) -> None:
        """What the tenant's own code made or took on the way under the courier's rights is not taken over."""
        self._act(None)
        new = {name for oid, name in self._schemas().items() if oid not in before} - ours
        row = self.connection.execute(_OWNED).fetchone()
        if new or row is None or row[0]:
            raise DataError(f"{self.place}: code of the tenant's made {', '.join(new) or 'objects'} outside its schema")

    def _schemas(self) -> dict[int, str]:
        roles = [self.place.owner, self.place.login, self.connection.info.user]
        return dict(self.connection.execute(_SCHEMAS, [roles]).fetchall())

    def _look(self, schema: str) -> tuple[bool | None, str | None]:
        """Whether a schema is empty, None where there is none, and its comment."""
        row = self.connection.execute(_IS_EMPTY, [schema]).fetchone()
        return (bool(row[0]), row[1]) if row else (None, None)

    def _act(self, role: str | None) -> None:
        """From here on as this role and with its search path, whatever was set on the way."""
        schemas = (self.about.schema_name, EXTENSIONS_SCHEMA) if role else ("pg_catalog",)
        path = sql.SQL(", ").join(map(sql.Identifier, schemas))
        self.connection.execute("RESET ROLE")
        if role:
            self._run("SET ROLE {}", role)
        self.connection.execute(sql.SQL("{}; SET search_path = {}").format(sql.SQL(_SETTINGS), path))

    def _run(self, statement: str, *names: str) -> None:
        self.connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


_SCRIPT = ("--no-owner",)


def _body(script: bytes) -> bytes:
    """A script from its first entry on, without what only psql understands."""
    first = _FIRST_ENTRY.search(script)
    return _LAST_COMMAND.sub(b"", script[first.start() :]).strip() if first else b""


def _chunks(output: IO[bytes]) -> Iterator[bytes]:
    """The lines of one COPY up to its end, some at a time."""
    lines: list[bytes] = []
    size = 0
    for line in output:
        if line == _COPY_END:
            break
        lines.append(line)
        size += len(line)
        if size >= CHUNK:
            yield b"".join(lines)
            lines, size = [], 0
    if lines:
        yield b"".join(lines)
