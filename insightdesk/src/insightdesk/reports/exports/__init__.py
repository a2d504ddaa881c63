"""Exports of an organization's data: asked for, made in the background, fetched by a link that expires."""
