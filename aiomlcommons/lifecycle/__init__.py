"""The life of models: from a name or a file to a model that answers, and out of the cluster again."""
