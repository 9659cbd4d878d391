variable "name" {
  description = "Name of the installation, in lower case; it begins the names of all that belongs to it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name: 3 to 32 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "environment" {
  description = "dev, staging or prod."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment: dev, staging or prod."
  }
}

variable "host" {
  description = "Name under which the gateway is reached; none keeps it inside the cluster."
  type        = string
  default     = null

  validation {
    condition     = var.host == null || can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,}$", var.host))
    error_message = "host: a full name such as chartly.example.org."
  }
}

variable "tls_secret" {
  description = "Name of the Secret with the certificate."
  type        = string
  default     = null

  validation {
    condition     = var.environment != "prod" || var.host == null || var.tls_secret != null
    error_message = "tls_secret: prod is not reached without TLS."
  }
}

variable "routes" {
  description = "Paths that lead to the gateway, in the order in which they are compared."
  type = list(object({
    path      = string
    path_type = optional(string, "Prefix")
  }))
  default = [{ path = "/" }]

  validation {
    condition     = alltrue([for route in var.routes : startswith(route.path, "/") && contains(["Exact", "Prefix"], route.path_type)])
    error_message = "routes: paths begin with a slash, types are Exact or Prefix."
  }

  validation {
    condition     = length(distinct(var.routes[*].path)) == length(var.routes) && length(var.routes) > 0
    error_message = "routes: at least one, each path once."
  }
}

variable "implementation" {
  description = "Class of the ingress controller and the address it answers at. Nothing until an overlay of a provider fills it."
  type = object({
    ingress_class = optional(string)
    address       = optional(string)
  })
  default = {}
}
