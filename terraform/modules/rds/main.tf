locals {
  db_spec = {
    name                  = "${var.name}-${var.environment}"
    environment           = var.environment
    engine                = var.engine
    engine_version        = var.engine_version
    storage_gib           = var.storage_gib
    backup_retention_days = var.backup_retention_days
    highly_available      = var.environment == "prod"
    encrypted             = true
    public                = false
    credentials_secret    = var.credentials_secret
    instance_id           = var.implementation.instance_id
    host                  = var.implementation.host
    port                  = var.implementation.port
  }
}
