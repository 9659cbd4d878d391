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

variable "buckets" {
  description = "Buckets by purpose. Days of 0 keep for ever."
  type = map(object({
    versioned   = optional(bool, true)
    expire_days = optional(number, 0)
  }))
  default = { backups = { expire_days = 90 } }

  validation {
    condition     = length(var.buckets) > 0 && alltrue([for purpose in keys(var.buckets) : can(regex("^[a-z][a-z0-9-]{0,20}$", purpose))])
    error_message = "buckets: at least one, with purposes of lower-case letters, digits and hyphens."
  }

  validation {
    condition     = alltrue([for bucket in values(var.buckets) : bucket.expire_days >= 0 && bucket.expire_days <= 36500])
    error_message = "buckets: expire_days from 0 to 36500."
  }

  validation {
    condition     = var.environment != "prod" || alltrue([for bucket in values(var.buckets) : bucket.versioned])
    error_message = "buckets: in prod all are versioned."
  }
}

variable "implementation" {
  description = "Ids of the buckets by purpose, and their endpoint. Nothing until an overlay of a provider fills it."
  type = object({
    endpoint   = optional(string)
    bucket_ids = optional(map(string), {})
  })
  default = {}
}
