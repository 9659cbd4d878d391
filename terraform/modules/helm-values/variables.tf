variable "cluster_spec" {
  description = "The cluster, as the module eks gives it."
  type = object({
    storage_class = string
  })
}

variable "gateway_spec" {
  description = "The way in, as the module gateway gives it."
  type = object({
    exposed       = bool
    host          = string
    tls_secret    = string
    ingress_class = string
    routes        = list(object({ path = string, path_type = string }))
  })
}
