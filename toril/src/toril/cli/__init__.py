"""The `toril` command (extra: toril[cli])."""
