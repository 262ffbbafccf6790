"""Plotly figures: values in, a figure out; the colours come from the page's theme.

Streamlit colours the traces of a figure with its theme's chart colours, in their order, and puts
the page's background in place of `style.PAGE`. So one figure serves the light and the dark theme.
"""
