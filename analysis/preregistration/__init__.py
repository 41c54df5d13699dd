"""The preregistration: `analysis.power` writes it before a survey, and the report compares the survey with it."""
