"""What the collector must remember beside the measurements: agents, the newest states, alerts, incidents.

SQLAlchemy Core on SQLite by default. Values are msgpack of frozen structs; columns are only what is searched for.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from alerts.model import FactChanged, Incident, TimelineEvent
from alerts.pipeline import Notification, Status

_meta = sa.MetaData()
_agent = sa.Table(
    "agent",
    _meta,
    sa.Column("node", sa.Text, primary_key=True),
    sa.Column("token_sha256", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("created_at", sa.BigInteger, nullable=False),
)
_thing = sa.Table(
    "thing",
    _meta,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""What is kept whole by a key: the newest state of a job, of a rule, the position in the journal."""
_incident = sa.Table(
    "incident",
    _meta,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("opened_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("closed_at", sa.BigInteger, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)


_timeline = sa.Table(
    "timeline",
    _meta,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("incident", sa.Integer, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
_notification = sa.Table(
    "notification",
    _meta,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("incident", sa.Integer, nullable=False, index=True),
    sa.Column("pending", sa.Boolean, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
_fact_change = sa.Table(
    "fact_change",
    _meta,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("node", sa.Text, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)


class Changes(msgspec.Struct):
    """What one step changed, to be kept in one transaction. ``things`` are by (kind, key); None forgets one."""

    things: dict[tuple[str, str], bytes | None] = {}
    incidents: list[Incident] = []
    timeline: list[TimelineEvent] = []
    notifications: list[Notification] = []
    facts: list[FactChanged] = []

    def __bool__(self) -> bool:
        return bool(self.things or self.incidents or self.timeline or self.notifications or self.facts)

    def forget(self, kind: str, key: str) -> None:
        """Forgets a thing."""
        self.things[kind, key] = None


class StateError(Exception):
    """The state cannot be kept. Says the file and the remedy."""


class StateFile:
    """The collector's relational state. Blocking: small, local, and few."""

    def __init__(self, path: Path | None) -> None:
        """Opens or makes the file; None keeps it in memory."""
        self._engine = sa.create_engine(
            f"sqlite:///{path}" if path else "sqlite://",
            poolclass=sa.StaticPool,
            connect_args={"check_same_thread": False},
        )
        # Asked on every report, where going through the engine would cost five times as much.
        self._cursor = self._engine.raw_connection().cursor()
        self._path = path or "state"
        self._tokens: dict[bytes, str] = {}
        self._holders: frozenset[str] = frozenset()
        self._tokens_version = -1
        try:
            with self._engine.begin() as db:
                if path:
                    db.execute(sa.text("PRAGMA journal_mode=WAL"))
                    db.execute(sa.text("PRAGMA synchronous=FULL"))
                _meta.create_all(db)
        except sa.exc.DatabaseError as error:
            self._engine.dispose()
            raise StateError(
                f"{self._path}: cannot be opened ({error.orig}): "
                "check who may write there and the space on its disk; a damaged file is to be restored from a backup"
            ) from error

    def close(self) -> None:
        """Closes the file."""
        self._engine.dispose()

    # Agents and their tokens

    def new_token(self, node: str, now: int) -> str:
        """Makes a token for a node's agent, in place of any it had. Only its hash is kept."""
        token = secrets.token_urlsafe(32)
        self.set_token(node, token, now)
        return token

    def set_token(self, node: str, token: str, now: int) -> None:
        """Takes a token made elsewhere."""
        row = {"node": node, "token_sha256": token_digest(token), "created_at": now}
        with self._engine.begin() as db:
            db.execute(insert(_agent).values(row).on_conflict_do_update(index_elements=["node"], set_=row))
        self._tokens_version = -1

    def revoke(self, node: str) -> bool:
        """Forgets a node's token; whether it had one."""
        self._tokens_version = -1
        with self._engine.begin() as db:
            return db.execute(sa.delete(_agent).where(_agent.c.node == node)).rowcount > 0

    def agent_of(self, token: str) -> str | None:
        """The node whose agent holds a token. A revocation by any process holds from the next call on."""
        self._look_at_tokens()
        return self._tokens.get(token_digest(token))

    def holders(self) -> frozenset[str]:
        """The nodes whose agents have a token; as fresh as :meth:`agent_of`."""
        self._look_at_tokens()
        return self._holders

    def _look_at_tokens(self) -> None:
        version = self._cursor.execute("PRAGMA data_version").fetchone()[0]
        if version != self._tokens_version:
            with self._engine.begin() as db:
                self._tokens = {row.token_sha256: row.node for row in db.execute(sa.select(_agent))}
            self._holders = frozenset(self._tokens.values())
            self._tokens_version = version

    def agents(self) -> dict[str, int]:
        """The nodes whose agents have a token, and when it was made (Unix ms)."""
        with self._engine.begin() as db:
            return {row.node: row.created_at for row in db.execute(sa.select(_agent))}

    # States and incidents

    def save(self, changes: Changes) -> None:
        """Keeps what changed, all or nothing. Raises StateError."""
        try:
            with self._engine.begin() as db:
                _save(db, changes)
        except sa.exc.OperationalError as error:
            raise StateError(f"{self._path}: cannot be written ({error.orig}): free space on its disk") from error

    def things(self, kind: str) -> dict[str, bytes]:
        """What is kept of a kind, by key."""
        with self._engine.begin() as db:
            query = sa.select(_thing).where(_thing.c.kind == kind)
            return {row.key: row.body for row in db.execute(query)}

    def incidents(self, *, open_only: bool = False, node: str | None = None, limit: int = 200) -> list[Incident]:
        """Incidents, newest first."""
        query = sa.select(_incident.c.body).order_by(_incident.c.id.desc()).limit(limit)
        if open_only:
            query = query.where(_incident.c.closed_at.is_(None))
        if node is not None:
            query = query.where(_incident.c.node == node)
        with self._engine.begin() as db:
            return [_decode_incident(body) for body in db.execute(query).scalars()]

    def incident(self, number: int) -> Incident | None:
        """One incident; None when there is none of that number."""
        if not 0 < number < 1 << 63:  # SQLite would not take it
            return None
        with self._engine.begin() as db:
            body = db.execute(sa.select(_incident.c.body).where(_incident.c.id == number)).scalar()
            return _decode_incident(body) if body is not None else None

    def timeline(self, number: int) -> list[TimelineEvent]:
        """What happened in an incident, in order."""
        query = sa.select(_timeline.c.body).where(_timeline.c.incident == number).order_by(_timeline.c.id)
        with self._engine.begin() as db:
            return [_decode_line(body) for body in db.execute(query).scalars()]

    def notifications(self, *, pending: bool = False, incident: int | None = None) -> list[Notification]:
        """What was decided to tell, or not."""
        query = sa.select(_notification.c.body).order_by(_notification.c.incident)
        if pending:
            query = query.where(_notification.c.pending)
        if incident is not None:
            query = query.where(_notification.c.incident == incident)
        with self._engine.begin() as db:
            return [_decode_notification(body) for body in db.execute(query).scalars()]

    def fact_changes(self, *, node: str | None = None, limit: int = 200) -> list[FactChanged]:
        """What was seen to be another than before, newest first."""
        query = sa.select(_fact_change.c.body).order_by(_fact_change.c.id.desc()).limit(limit)
        if node is not None:
            query = query.where(_fact_change.c.node == node)
        with self._engine.begin() as db:
            return [_decode_fact_change(body) for body in db.execute(query).scalars()]

    def last_incident(self) -> int:
        """The highest incident number given; 0 when there was none."""
        with self._engine.begin() as db:
            return db.execute(sa.select(sa.func.max(_incident.c.id))).scalar() or 0


def token_digest(token: str) -> bytes:
    """What is kept of a token. It is 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()


def _upsert(db: sa.Connection, table: sa.Table, keys: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    found = list(rows)
    if found:
        statement = insert(table)
        changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
        db.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=changed), found)


def _save(db: sa.Connection, changes: Changes) -> None:
    things = [{"kind": kind, "key": key, "body": body} for (kind, key), body in changes.things.items()]
    _upsert(db, _thing, ("kind", "key"), [thing for thing in things if thing["body"] is not None])
    forgotten = [{"k": thing["kind"], "i": thing["key"]} for thing in things if thing["body"] is None]
    if forgotten:
        where = (_thing.c.kind == sa.bindparam("k")) & (_thing.c.key == sa.bindparam("i"))
        db.execute(sa.delete(_thing).where(where), forgotten)
    _upsert(db, _incident, ("id",), [_incident_row(incident) for incident in changes.incidents])
    lines = [{"incident": int(line.incident), "body": _encode(line)} for line in changes.timeline]
    if lines:
        db.execute(sa.insert(_timeline), lines)
    _upsert(db, _notification, ("id",), [_notification_row(told) for told in changes.notifications])
    facts = [{"node": change.node, "body": _encode(change)} for change in changes.facts]
    if facts:
        db.execute(sa.insert(_fact_change), facts)


def _incident_row(incident: Incident) -> dict[str, Any]:
    return {
        "id": int(incident.id),
        "node": incident.node,
        "opened_at": incident.opened_at,
        "closed_at": incident.closed_at,
        "body": _encode(incident),
    }


def _notification_row(told: Notification) -> dict[str, Any]:
    pending = told.status is Status.PENDING
    return {"id": told.id, "incident": int(told.incident), "pending": pending, "body": _encode(told)}


_encode = msgspec.msgpack.encode
_decode_incident = msgspec.msgpack.Decoder(Incident).decode
_decode_line = msgspec.msgpack.Decoder(TimelineEvent).decode
_decode_notification = msgspec.msgpack.Decoder(Notification).decode
_decode_fact_change = msgspec.msgpack.Decoder(FactChanged).decode
