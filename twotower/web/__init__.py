"""HTTP routes, security headers and rate limits beside Streamlit."""
