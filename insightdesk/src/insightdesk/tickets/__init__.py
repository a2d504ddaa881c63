"""Tickets, their messages and participants."""
