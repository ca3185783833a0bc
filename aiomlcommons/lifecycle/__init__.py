"""The model lifecycle: find or register, upload, deploy, undeploy and delete, idempotent and safe between clients."""
