"""Errors that a listener or an operator can do something about.

TwoTowerError
├─ SourceError             a listening history could not be read
│  ├─ NoSuchUser           a service has no such user, or their listening is private
│  ├─ UnreadableExport     the file is of an unknown kind, or damaged; .where names the place
│  │  └─ NotListening      the file is of a kind without listening; beside music it is passed over
│  ├─ NoMusic              the file was read, and has no music in it
│  ├─ TooLarge             the file, or its unpacked content, is over a limit
│  ├─ LoginExpired         a service no longer accepts this sign-in: sign in again
│  ├─ NotAllowed           a service refuses this person or server; waiting won't help
│  ├─ RateLimited          a service wants fewer requests; try again after .retry_after_s
│  └─ Unreachable          a service doesn't answer, or in an unknown form
├─ BadProfile              a profile or a line of profile JSON Lines is invalid; .where names it
├─ EmptyProfile            too little is known to embed the listener; says what would help
├─ MissingData             raw data, model or assets are missing
├─ IncompatibleModel       model files are damaged, or of different training runs
├─ LostProcess             a process of a distributed training is gone, or has other files
├─ CommunityError          the community database can't be opened, read or written
│  └─ DiskFull             nothing was changed, because the disk has no room
├─ BadName                 a pseudonym is not allowed; says what to change
├─ MayNotJoin              this profile may not join, or has nothing to store; says what else helps
├─ UnknownCode             no member has this access code
├─ BadReceipt              a file is no deletion receipt, or is incomplete
└─ TooOften                too many tries in a short time; try again after .retry_after_s

Each message says what happened and what to do next.
"""


class TwoTowerError(Exception):
    """A message for the user; `where` names the file, line or field, if there is one.

    If `where` is something of the server, visitors see only `message`.
    """

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.message, self.where = message, where


class SourceError(TwoTowerError): ...


class NoSuchUser(SourceError): ...


class UnreadableExport(SourceError): ...


class NotListening(UnreadableExport): ...


class NoMusic(SourceError): ...


class TooLarge(SourceError): ...


class LoginExpired(SourceError): ...


class NotAllowed(SourceError): ...


class RateLimited(SourceError):
    """Wait `retry_after_s` seconds; None if the service doesn't say."""

    def __init__(
        self, message: str, *, where: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, where=where)
        self.retry_after_s = retry_after_s


class Unreachable(SourceError): ...


class BadProfile(TwoTowerError): ...


class EmptyProfile(TwoTowerError): ...


class MissingData(TwoTowerError): ...


class IncompatibleModel(TwoTowerError): ...


class LostProcess(TwoTowerError): ...


class CommunityError(TwoTowerError): ...


class DiskFull(CommunityError): ...


class BadName(TwoTowerError): ...


class MayNotJoin(TwoTowerError): ...


class UnknownCode(TwoTowerError): ...


class BadReceipt(TwoTowerError): ...


class TooOften(TwoTowerError):
    """Wait `retry_after_s` seconds."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
