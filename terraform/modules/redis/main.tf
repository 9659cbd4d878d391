locals {
  redis_spec = {
    name        = "${var.name}-${var.environment}"
    environment = var.environment
    memory_gib  = var.memory_gib
    eviction    = var.eviction
    replicas    = var.environment == "prod" ? 1 : 0
    tls         = true
    public      = false
    cache_id    = var.implementation.cache_id
    host        = var.implementation.host
    port        = var.implementation.port
  }
}
