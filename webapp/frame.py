"""What every page stands on: the contract, the API's client, and how trouble and emptiness look."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from altair.typing import ChartType

from answers import Model
from client import Client
from jobchurn.contract import JOB_CHANGE, Contract
from problems import Problem
from words import escaped, listed

DEFAULT_ADDRESS = "http://127.0.0.1:8000"
"""Where the API answers when the environment does not say."""

_FRESH_SECONDS = 10


def contract() -> Contract:
    """The contract that this web app shows."""
    return JOB_CHANGE


def client() -> Client:
    """The API that the environment names, with the key that lets this process in.

    ``API_URL``; ``API_PUBLIC_URL`` for links; ``API_KEY``.
    """
    address = os.environ.get("API_URL") or DEFAULT_ADDRESS
    key = os.environ.get("API_KEY", "").strip()
    return _client(address, os.environ.get("API_PUBLIC_URL") or address, key)


@st.cache_resource(show_spinner=False)
def _client(address: str, public_address: str, api_key: str) -> Client:
    return Client(address, public_address, api_key=api_key)


def _address_of(api: Client) -> str:
    return api.address


def model() -> Model:
    """The model in charge, asked anew every few seconds.

    Raises:
        Problem: the API is away or not ready, or follows another contract.
    """
    found = _model(client())
    if found.contract != contract().fingerprint:
        raise Problem(
            "The prediction service follows another contract than this web app.",
            "Bring both to the same version, and start them again with `jobchurn up`.",
        )
    return found


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False, hash_funcs={Client: _address_of})
def _model(api: Client) -> Model:
    return api.model()


def heading(title: str, lead: str) -> None:
    """The page's title and one sentence on what it is for."""
    st.title(title, anchor=False)
    st.markdown(lead)


@contextmanager
def troubles_shown(*, again: bool = True) -> Iterator[None]:
    """Show a foreseen problem in place of what the block would have shown, and end the page.

    Args:
        again: whether trying again may help, so that a button offers it.
    """
    try:
        yield
    except Problem as problem:
        show(problem)
        if again:
            st.button("Try again", icon=":material/refresh:")
        st.stop()


def show(problem: Problem) -> None:
    """A problem: what is wrong, and what to do about it."""
    lines = [f"**{escaped(problem.sentence)}**", problem.cure]
    if problem.details:
        lines.append(listed([escaped(line) for line in problem.details]))
    st.error("\n\n".join(lines), icon=":material/error:")


def nothing_here(sentence: str, advice: str) -> None:
    """An empty page's words: why it is empty, and what fills it."""
    st.info(f"**{sentence}**\n\n{advice}", icon=":material/inbox:")


def picture(chart: ChartType, description: str) -> None:
    """A chart, its words in a colour that is easy to read on the page's ground."""
    ink = "#dbe3ea" if st.context.theme.type == "dark" else "#2b3742"
    st.altair_chart(
        chart.configure_axis(labelColor=ink, titleColor=ink, labelFontSize=13, titleFontSize=13)
        .configure_legend(labelColor=ink, labelFontSize=13)
        .configure_text(color=ink)
        .configure_view(stroke=None),
        alt=description,
    )
