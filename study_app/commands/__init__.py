"""The commands of study_app."""
