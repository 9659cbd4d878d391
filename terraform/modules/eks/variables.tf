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

variable "kubernetes_version" {
  description = "Minor version of Kubernetes, such as 1.32; the chart needs 1.30 or later."
  type        = string

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version)) && try(tonumber(split(".", var.kubernetes_version)[1]) >= 30, false)
    error_message = "kubernetes_version: 1.30 or later, without a patch number."
  }
}

variable "node_pools" {
  description = "Groups of equal nodes by name. Sizes are in cores and GiB; an overlay finds the machine for them."
  type = map(object({
    cores      = number
    memory_gib = number
    min_nodes  = number
    max_nodes  = number
    labels     = optional(map(string), {})
  }))

  validation {
    condition     = length(var.node_pools) > 0
    error_message = "node_pools: at least one."
  }

  validation {
    condition = alltrue([
      for pool in values(var.node_pools) :
      pool.cores >= 1 && pool.memory_gib >= 2 && pool.min_nodes >= 1 && pool.min_nodes <= pool.max_nodes && pool.max_nodes <= 500
    ])
    error_message = "node_pools: at least 1 core and 2 GiB, and 1 <= min_nodes <= max_nodes <= 500."
  }
}

variable "namespaces" {
  description = "Base namespaces; pods in them must meet the restricted level."
  type        = list(string)
  default     = ["chartly"]

  validation {
    condition     = alltrue([for n in var.namespaces : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", n))])
    error_message = "namespaces: names as Kubernetes takes them."
  }
}

variable "implementation" {
  description = "Where the cluster is, and its storage class. Nothing until an overlay of a provider fills it."
  type = object({
    cluster_id     = optional(string)
    endpoint       = optional(string)
    ca_certificate = optional(string)
    storage_class  = optional(string)
  })
  default = {}
}
