variables {
  cluster_spec = { storage_class = "fast" }
  gateway_spec = {
    exposed       = true
    host          = "chartly.example.org"
    tls_secret    = "chartly-tls"
    ingress_class = "edge"
    routes        = [{ path = "/", path_type = "Prefix" }]
  }
}

run "H112_every_claim_gets_the_storage_class" {
  command = plan
  assert {
    condition = alltrue([
      for part in ["registry", "aggregator", "coordinator", "reporter", "auth", "audit", "releases", "drone"] :
      output.helm_values[part].storage.className == "fast"
    ])
    error_message = "storage class"
  }
}

run "H112_routes_become_paths" {
  command = plan
  assert {
    condition     = output.helm_values.ingress.paths[0].pathType == "Prefix" && output.helm_values.ingress.host == "chartly.example.org"
    error_message = "ingress"
  }
}

run "H119_what_is_open_leaves_the_default_of_the_cluster" {
  command = plan
  variables {
    cluster_spec = { storage_class = null }
    gateway_spec = { exposed = false, host = null, tls_secret = null, ingress_class = null, routes = [] }
  }
  assert {
    condition     = output.helm_values.drone.storage.className == "" && !output.helm_values.ingress.enabled
    error_message = "defaults"
  }
}
