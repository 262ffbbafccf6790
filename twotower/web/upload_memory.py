"""Uploads stay in memory, as the page Privacy promises."""

from starlette.formparsers import MultiPartParser


def keep_uploads_in_memory(max_upload_mb: int) -> None:
    """Let Starlette hold uploads of up to `max_upload_mb` megabytes in memory.

    Without this it moves each file above 1 MB to a temporary file on disk. Larger uploads are
    refused by Streamlit (`server.maxUploadSize`) before they are parsed.
    """
    MultiPartParser.spool_max_size = (max_upload_mb + 1) * 1024 * 1024
