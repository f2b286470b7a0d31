"""Commands for people who maintain the course; none of this travels in the wheel."""
