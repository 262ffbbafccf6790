"""HTTP routes and headers beside Streamlit."""
