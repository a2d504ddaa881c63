"""Reports: exports of an organization's data, and the files that they are kept in."""
