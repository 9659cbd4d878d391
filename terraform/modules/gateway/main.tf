locals {
  gateway_spec = {
    name          = "${var.name}-${var.environment}"
    environment   = var.environment
    exposed       = var.host != null
    host          = var.host
    tls_secret    = var.tls_secret
    routes        = var.routes
    ingress_class = var.implementation.ingress_class
    address       = var.implementation.address
  }
}
