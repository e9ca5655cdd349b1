"""From draft to what runs: published, approved, held, and people moved from one version to the next."""
