"""Superset's settings; it reads every name here that is written in capitals.

What is not set here is as Superset has it: no public access, no registration, protection against forged requests.
"""

from __future__ import annotations

import logging
import os

from bi.own_requests import OwnRequestsOnly
from bi.publication import only
from bi.state import this_state

_state = this_state()

SECRET_KEY = _state.secret_key
# The set-up works on a copy, which it names here.
_metadata = os.environ.get("TURNOUT_SUPERSET_METADATA") or _state.metadata
SQLALCHEMY_DATABASE_URI = f"sqlite:///{_metadata}?timeout=30"
SQLALCHEMY_EXAMPLES_URI = SQLALCHEMY_DATABASE_URI  # no examples are loaded
DATASET_IMPORT_ALLOWED_DATA_URLS: list[str] = []  # nor data with a dataset

# Every connection is one to the published file, whatever its address says.
DB_CONNECTION_MUTATOR = only(_state.published)

# Each question goes to the file. It answers in milliseconds, and a new publication is seen at once.
CACHE_CONFIG = DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}

# A page loads nothing from elsewhere: Superset's defaults would allow map tiles, fonts and a counter of visits.
TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": {
        "default-src": ["'self'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "object-src": ["'none'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "script-src": ["'self'", "'strict-dynamic'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    # Loopback has no certificate.
    "force_https": False,
    "session_cookie_secure": False,
}
THEME_FONT_URL_ALLOWED_DOMAINS: list[str] = []
# Loopback is for everybody on this machine: cookies do not tell ports apart, so ours has a name of its own.
SESSION_COOKIE_NAME = "turnout_superset"
SESSION_COOKIE_SAMESITE = "Strict"

# Superset answers any name by itself.
ADDITIONAL_MIDDLEWARE = [OwnRequestsOnly]
ENABLE_PROXY_FIX = False
ENABLE_CORS = False
RATELIMIT_ENABLED = True  # nobody tries out passwords
RATELIMIT_STORAGE_URI = "memory://"  # there is one process
RATELIMIT_APPLICATION = "500 per second"
AUTH_RATE_LIMIT = "10 per minute"
FAB_API_SWAGGER_UI = False  # it loads its scripts from elsewhere

APP_NAME = "Turnout"
LOG_LEVEL = logging.WARNING
# It warns on every page of a picture that the package does not bring.
logging.getLogger("superset.views.base").setLevel(logging.CRITICAL)
