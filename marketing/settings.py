"""Settings of one deployment. Everything that may differ comes from the environment (docs/operations.md)."""

import os
from datetime import timedelta
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

from marketing import environment
from marketing.environment import BASE_DIR, HOME, LOCAL_RUN

SECRET_KEY = environment.secret_key()
DEBUG = False
ALLOWED_HOSTS = os.environ.get("CARILLON_HOSTS", "localhost,127.0.0.1,[::1],testserver" if LOCAL_RUN else "").split(",")
#: The address patients and staff reach us at; links in mails start with it.
PUBLIC_URL = os.environ.get("CARILLON_PUBLIC_URL", "http://localhost:8000")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SECURE = PUBLIC_URL.startswith("https://")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.postgres",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "csp",
    "django_htmx",
    "django_otp",
    "django_otp_webauthn",
    "axes",
    "rest_framework",
    "drf_spectacular",
    "marketing",
    "campaigns",
    "workflows",
    "trail",
    "segments",
    "delivery",
    "content",
    "tracking",
    "consent",
    "contacts",
    "phi",
    "accounts",
    "audit",
    "core",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "accounts.middleware.SessionLimits",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "marketing.urls"
WSGI_APPLICATION = "marketing.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context.shell",
            ],
            "builtins": ["django.contrib.humanize.templatetags.humanize", "core.templatetags.ui"],
        },
    }
]

DATABASES = {"default": environment.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "django_otp_webauthn.backends.WebAuthnBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 15}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "accounts.passwords.Guessable"},
    {"NAME": "accounts.passwords.Breached"},
]
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "home"

SESSION_COOKIE_NAME = "__Host-carillon" if SECURE else "carillon"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "csrftoken"
#: IDN-02: roles for which only a passkey counts; a local run has no domain to bind one to for long.
PASSKEY_ROLES = frozenset(
    os.environ.get("CARILLON_PASSKEY_ROLES", "" if LOCAL_RUN else "administrator,marketer,approver,compliance").split(
        ","
    )
) - {""}
#: Reverse proxies of ours in front: that many entries of X-Forwarded-For are believed.
TRUSTED_PROXIES = int(os.environ.get("CARILLON_TRUSTED_PROXIES", "0"))
#: SEC-14: inactivity and absolute limits, enforced by accounts.middleware.SessionLimits. A deployment may only shorten.
SESSION_IDLE = timedelta(minutes=min(15, int(os.environ.get("CARILLON_IDLE_MINUTES", "15"))))
SESSION_ABSOLUTE = timedelta(hours=min(12, int(os.environ.get("CARILLON_SESSION_HOURS", "12"))))
SESSION_COOKIE_AGE = int(SESSION_ABSOLUTE.total_seconds())
#: IDN-01: optionally, a file of SHA-1 hashes of breached passwords, sorted, one a line ("HASH" or "HASH:count").
BREACHED_PASSWORDS = os.environ.get("CARILLON_BREACHED_PASSWORDS", "")
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_CONTENT_TYPE_NOSNIFF = True
#: Not "no-referrer": with that, browsers send our own forms with `Origin: null`, which the CSRF check refuses.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "frame-src": ["'self'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    }
}

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
NODE_MODULES = BASE_DIR / "node_modules"
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("vendor/alpine", NODE_MODULES / "@alpinejs" / "csp" / "dist"),
    ("vendor/uplot", NODE_MODULES / "uplot" / "dist"),
    ("vendor/sortable", NODE_MODULES / "sortablejs" / "modular"),
    ("vendor/dagre", NODE_MODULES / "@dagrejs" / "dagre" / "dist"),
]
WHITENOISE_USE_FINDERS = LOCAL_RUN
WHITENOISE_AUTOREFRESH = False

#: Uploads stream to disk only below HOME, 0600, and are sealed on receipt by contacts.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5_000

BROKER_URL = os.environ.get("CARILLON_BROKER_URL", "pgmq://")
CELERY_BROKER_URL = BROKER_URL
CELERY_BROKER_TRANSPORT_OPTIONS = environment.broker_transport(BROKER_URL, DATABASES["default"])
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {"delivery.drain": {"queue": "marketing"}}
CELERY_WORKER_PREFETCH_MULTIPLIER = 4
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
CELERY_TASK_ALWAYS_EAGER = os.environ.get("CARILLON_EAGER_TASKS") == "1"
CELERY_TASK_EAGER_PROPAGATES = True
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
#: Every entry is a sweep over rows, so nothing needs to be remembered between runs, and a missed one is worth nothing.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    "audit-seal": {"task": "audit.seal", "schedule": 10.0},
    "audit-verify": {"task": "audit.verify", "schedule": 300.0},
    "delivery-sweep": {"task": "delivery.sweep", "schedule": 5.0},
    "delivery-bounces": {"task": "delivery.sweep_bounces", "schedule": 300.0},
    "campaigns-due": {"task": "campaigns.start_due", "schedule": 5.0},
    "contacts-sweep": {"task": "contacts.sweep_imports", "schedule": 30.0},
    "contacts-damaged": {"task": "contacts.look_at_damaged", "schedule": 300.0},
    "accounts-sessions": {"task": "accounts.purge_sessions", "schedule": 60.0},
    "tracking-purge": {"task": "tracking.purge", "schedule": 3600.0},
    "consent-counts": {"task": "consent.count_topics", "schedule": 60.0},
    "tracking-sums": {"task": "tracking.sum_up", "schedule": 20.0},
    "segments-facts": {"task": "segments.write_facts", "schedule": 10.0},
    "segments-store": {"task": "segments.sweep_store", "schedule": 10.0},
    "segments-check": {"task": "segments.check_store", "schedule": 3600.0},
    "segments-memberships": {"task": "segments.refresh_used", "schedule": 60.0},
    "segments-evaluations": {"task": "segments.sweep_evaluations", "schedule": 300.0},
    "segments-forget": {"task": "segments.purge_memberships", "schedule": 3600.0},
    "segments-unsaved": {"task": "segments.purge_unsaved", "schedule": 3600.0},
    "workflows-listen": {"task": "workflows.listen", "schedule": 2.0},
    "workflows-look": {"task": "workflows.look", "schedule": 60.0},
    "workflows-run": {"task": "workflows.sweep", "schedule": 2.0},
    "workflows-calls": {"task": "workflows.sweep_calls", "schedule": 10.0},
    "workflows-simulate": {"task": "workflows.sweep_simulations", "schedule": 30.0},
    "workflows-moves": {"task": "workflows.sweep_moves", "schedule": 20.0},
    "workflows-forget": {"task": "workflows.purge", "schedule": 3600.0},
}
for _entry in CELERY_BEAT_SCHEDULE.values():
    _entry["options"] = {"expires": _entry["schedule"]}

#: delivery.engine: recipients handed over between two commits (bounds repeats after a crash), seconds in which new
#: ones are begun (withdrawals and a pause wait that long), seconds a batch is leased for, seconds a drain task works
#: before it makes room, and how many drain one stream at a time: fewer than a worker has threads, or bulk mail keeps
#: all else waiting.
DELIVERY_WINDOW = int(os.environ.get("CARILLON_DELIVERY_WINDOW", "100"))
DELIVERY_HANDOVER_SECONDS = float(os.environ.get("CARILLON_DELIVERY_HANDOVER", "3"))
DELIVERY_LEASE_SECONDS = int(os.environ.get("CARILLON_DELIVERY_LEASE", "30"))
DELIVERY_SLICE_SECONDS = 20
DELIVERY_PARALLEL = int(os.environ.get("CARILLON_DELIVERY_PARALLEL", "2"))

#: TRK-05: opens and clicks are forgotten after this long.
TRACKING_RETENTION_DAYS = int(os.environ.get("CARILLON_TRACKING_RETENTION_DAYS", "730"))

#: segments.fanout: an evaluation of more partitions (65,536 people each) is shared among workers.
SEGMENTS_FAN_OUT = int(os.environ.get("CARILLON_SEGMENTS_FAN_OUT", "64"))

#: segments.membership: who was in a segment when is forgotten after this long, but for who was in it last.
MEMBERSHIP_DAYS = int(os.environ.get("CARILLON_MEMBERSHIP_DAYS", "730"))

#: segments.store.memory: bytes of opened columns a process may keep (given in megabytes).
SEGMENTS_MEMORY = int(os.environ.get("CARILLON_SEGMENTS_MEMORY", "512")) * 1024 * 1024

#: workflows: enrolments one claim takes, seconds a run task works before it makes room, and how many run at a time.
WORKFLOWS_CLAIM = int(os.environ.get("CARILLON_WORKFLOWS_CLAIM", "2000"))
WORKFLOWS_SLICE_SECONDS = 10
WORKFLOWS_PARALLEL = int(os.environ.get("CARILLON_WORKFLOWS_PARALLEL", "2"))
#: workflows: happenings are forgotten after this long.
WORKFLOWS_HAPPENING_DAYS = int(os.environ.get("CARILLON_HAPPENING_DAYS", "730"))
#: workflows: so are webhook calls that have ended, notices somebody has seen to, and simulations that are over.
WORKFLOWS_CALL_DAYS = int(os.environ.get("CARILLON_CALL_DAYS", "90"))
WORKFLOWS_NOTICE_DAYS = int(os.environ.get("CARILLON_NOTICE_DAYS", "730"))
WORKFLOWS_SIMULATION_DAYS = int(os.environ.get("CARILLON_SIMULATION_DAYS", "365"))
#: workflows: systems inside this network that webhooks may go to, named exactly (workflows.webhooks.inside).
WORKFLOWS_WEBHOOK_INTERNAL = os.environ.get("CARILLON_WEBHOOK_INTERNAL", "")

#: phi.keyring: the provider class and, for the local one, its file (0600; never in the database or its backups).
PHI_KEY_PROVIDER = os.environ.get("CARILLON_KEY_PROVIDER", "phi.providers.LocalKeyFile")
PHI_KEY_FILE = HOME / "keys" / "keyring.json"

AXES_FAILURE_LIMIT = 10
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_USERNAME_FORM_FIELD = "email"
AXES_USERNAME_CALLABLE = "accounts.throttling.account_of"
AXES_CLIENT_IP_CALLABLE = "accounts.throttling.address_of"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_LOCKOUT_CALLABLE = "accounts.views.entry.locked_out"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

OTP_WEBAUTHN_RP_NAME = "Carillon"
OTP_WEBAUTHN_RP_ID = os.environ.get("CARILLON_RP_ID", urlsplit(PUBLIC_URL).hostname or "localhost")
OTP_WEBAUTHN_EXCEPTION_LOGGER_NAME = ""
OTP_WEBAUTHN_ALLOWED_ORIGINS = [PUBLIC_URL]

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "core.api.schema.Schema",
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api_auth.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.api_auth.ScopeRequired"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.api.parsing.JsonParser"],
    "DEFAULT_PAGINATION_CLASS": "core.api.paging.CursorPages",
    "EXCEPTION_HANDLER": "core.api.errors.handle",
    "DEFAULT_THROTTLE_CLASSES": ["core.api.throttling.PerToken"],
    "DEFAULT_THROTTLE_RATES": {"token": os.environ.get("CARILLON_API_RATE", "600/min")},
    "UNAUTHENTICATED_USER": None,
    "PAGE_SIZE": 100,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Carillon API",
    "VERSION": "1",
    "DESCRIPTION": "Contacts, consents, segments, templates and campaigns of one covered entity.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "Purpose": "core.purposes.Purpose",
        "MessageClass": "core.purposes.MessageClass",
        "Sensitivity": "core.sensitivity.Sensitivity",
    },
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "core.logs.WithoutValues", "format": "%(asctime)s %(levelname)s %(name)s %(message)s"}
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("CARILLON_LOG_LEVEL", "WARNING")},
    # kombu: "No hostname was supplied" is so by design, the broker is our own database.
    # mail.log: the catcher's SMTP library notes every recipient.
    "loggers": {
        "axes": {"level": "ERROR"},
        "kombu.connection": {"level": "ERROR"},
        "mail.log": {"level": "CRITICAL"},
    },
}

#: django-encrypted-model-fields insists on a key at import; phi.fields never uses it, so it is thrown away.
FIELD_ENCRYPTION_KEY = Fernet.generate_key()
