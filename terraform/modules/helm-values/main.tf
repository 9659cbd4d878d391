locals {
  storage = { storage = { className = var.cluster_spec.storage_class == null ? "" : var.cluster_spec.storage_class } }

  values = {
    registry    = local.storage
    aggregator  = local.storage
    coordinator = local.storage
    auth        = local.storage
    audit       = local.storage
    reporter    = local.storage
    releases    = local.storage
    drone       = local.storage
    ingress = {
      enabled   = var.gateway_spec.exposed
      host      = var.gateway_spec.host == null ? "" : var.gateway_spec.host
      className = var.gateway_spec.ingress_class == null ? "" : var.gateway_spec.ingress_class
      tlsSecret = var.gateway_spec.tls_secret == null ? "" : var.gateway_spec.tls_secret
      paths     = [for route in var.gateway_spec.routes : { path = route.path, pathType = route.path_type }]
    }
  }
}
