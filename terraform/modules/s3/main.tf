locals {
  bucket_spec = {
    environment = var.environment
    endpoint    = var.implementation.endpoint
    buckets = [
      for purpose in sort(keys(var.buckets)) : {
        purpose     = purpose
        name        = "${var.name}-${var.environment}-${purpose}"
        versioned   = var.buckets[purpose].versioned
        expire_days = var.buckets[purpose].expire_days
        encrypted   = true
        public      = false
        id          = lookup(var.implementation.bucket_ids, purpose, null)
      }
    ]
  }
}
