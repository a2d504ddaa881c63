"""Django: jobs that are added when a transaction commits, an outbox, and `manage.py toril_worker`.

Put `toril.integrations.django` into INSTALLED_APPS, and `TORIL_APP = "shop.jobs:app"` into the settings.
"""
