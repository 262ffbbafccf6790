"""Everything that can go wrong that a listener or an operator can do something about.

TwoTowerError
├─ SourceError             a listening history could not be read
│  ├─ UnreadableExport     the file is not one we know, or is damaged; .where names the place
│  ├─ NoMusic              the file was read, and there is no music in it
│  └─ TooLarge             the file, or what it unpacks to, is beyond the limits
├─ BadProfile              a profile or a line of profile JSON Lines is wrong; .where names it
├─ EmptyProfile            too little is known to place the listener; says what would help
├─ MissingData             raw data, model or assets are not where they were looked for
├─ IncompatibleModel       model files are damaged or come from different training runs
└─ CommunityError          the community could not be opened, read or written

The message says what to do next.
"""


class TwoTowerError(Exception):
    """A message for the person at the screen; `where` names the place, if there is one."""

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class SourceError(TwoTowerError): ...


class UnreadableExport(SourceError): ...


class NoMusic(SourceError): ...


class TooLarge(SourceError): ...


class BadProfile(TwoTowerError): ...


class EmptyProfile(TwoTowerError): ...


class MissingData(TwoTowerError): ...


class IncompatibleModel(TwoTowerError): ...


class CommunityError(TwoTowerError): ...
