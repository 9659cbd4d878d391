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

variable "engine" {
  description = "Kind of database."
  type        = string
  default     = "postgresql"

  validation {
    condition     = var.engine == "postgresql"
    error_message = "engine: postgresql."
  }
}

variable "engine_version" {
  description = "Major version."
  type        = string
  default     = "15"

  validation {
    condition     = can(regex("^1[4-9]$", var.engine_version))
    error_message = "engine_version: 14 to 19."
  }
}

variable "storage_gib" {
  description = "Size of the disk, 20 to 65536 GiB."
  type        = number

  validation {
    condition     = var.storage_gib >= 20 && var.storage_gib <= 65536 && floor(var.storage_gib) == var.storage_gib
    error_message = "storage_gib: a whole number from 20 to 65536."
  }
}

variable "backup_retention_days" {
  description = "For how long any moment can be restored."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 365
    error_message = "backup_retention_days: 1 to 365."
  }

  validation {
    condition     = var.environment != "prod" || var.backup_retention_days >= 7
    error_message = "backup_retention_days: prod needs at least 7."
  }
}

variable "credentials_secret" {
  description = "Name of the Secret of the cluster that holds user and password. No credential passes through here."
  type        = string
  default     = null
}

variable "implementation" {
  description = "Where the database is. Nothing until an overlay of a provider fills it."
  type = object({
    instance_id = optional(string)
    host        = optional(string)
    port        = optional(number)
  })
  default = {}
}
