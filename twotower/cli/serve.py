"""Command `app`: start the Streamlit app."""

import runpy
import sys

import typer

from twotower.core.settings import ROOT


def serve(context: typer.Context) -> None:
    """Start the app in this process.

    More options go to `streamlit run`, for example --server.port 8502.
    """
    sys.argv = ["streamlit", "run", str(ROOT / "app.py"), *context.args]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
