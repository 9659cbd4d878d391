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

variable "memory_gib" {
  description = "Size, 1 to 512 GiB."
  type        = number

  validation {
    condition     = var.memory_gib >= 1 && var.memory_gib <= 512
    error_message = "memory_gib: 1 to 512."
  }
}

variable "eviction" {
  description = "What goes when it is full: least recently used entries, or nothing."
  type        = string
  default     = "lru"

  validation {
    condition     = contains(["lru", "none"], var.eviction)
    error_message = "eviction: lru or none."
  }
}

variable "implementation" {
  description = "Where the cache is. Nothing until an overlay of a provider fills it."
  type = object({
    cache_id = optional(string)
    host     = optional(string)
    port     = optional(number)
  })
  default = {}
}
