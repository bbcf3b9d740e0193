"""Where pipelines run: in processes that may hang or crash, or in calls that are lent a GPU."""
