"""The web app's door: `streamlit run webapp/Home.py`. It lays the frame; the views fill it.

The views do not stand in a folder `pages`: Streamlit would run such a file without this frame when
the first visit after a start goes to it.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

import frame

_HERE = Path(__file__).parent

st.set_page_config(page_title="jobchurn", page_icon=_HERE / "logo.svg", layout="wide")
st.logo(_HERE / "logo.svg", size="large")
st.html(_HERE / "style.css")

subject = frame.contract().subject
page = st.navigation(
    [
        st.Page(
            "views/single.py",
            title="Home",
            icon=":material/person_search:",
            url_path="home",
            default=True,
            help=f"Predict one {subject}",
        ),
        st.Page(
            "views/batch.py",
            title="Batch",
            icon=":material/upload_file:",
            help="Predict every row of a CSV",
        ),
        st.Page(
            "views/past_predictions.py",
            title="Past predictions",
            icon=":material/history:",
            help="Look at what was predicted, and download it",
        ),
        st.Page(
            "views/ingestion.py",
            title="Ingestion",
            icon=":material/fact_check:",
            help="See which files came in and how good they were",
        ),
        st.Page(
            "views/monitoring.py",
            title="Monitoring",
            icon=":material/monitoring:",
            help="See how data, predictions and the service fare over time",
        ),
    ],
    position="top",
)
page.run()
