locals {
  cluster_spec = {
    name               = "${var.name}-${var.environment}"
    environment        = var.environment
    kubernetes_version = var.kubernetes_version
    node_pools         = var.node_pools
    namespaces = [
      for namespace in var.namespaces : {
        name = namespace
        labels = {
          "pod-security.kubernetes.io/enforce" = "restricted"
          "chartly.io/environment"             = var.environment
        }
      }
    ]
    cluster_id     = var.implementation.cluster_id
    endpoint       = var.implementation.endpoint
    ca_certificate = var.implementation.ca_certificate
    storage_class  = var.implementation.storage_class
  }
}
