"""The weekly report: a week in numbers and how promises were kept, for administrators."""
