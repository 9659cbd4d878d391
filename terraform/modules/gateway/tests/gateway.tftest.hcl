variables {
  name        = "chartly"
  environment = "prod"
  host        = "chartly.example.org"
  tls_secret  = "chartly-tls"
}

run "U285_routes_lead_to_the_gateway" {
  command = plan
  assert {
    condition     = output.gateway_spec.exposed && output.gateway_spec.routes[0].path == "/" && output.gateway_spec.routes[0].path_type == "Prefix"
    error_message = "routes"
  }
}

run "U285_without_a_host_nothing_is_exposed" {
  command = plan
  variables {
    host       = null
    tls_secret = null
  }
  assert {
    condition     = !output.gateway_spec.exposed
    error_message = "exposed"
  }
}

run "H118_the_versioned_spec_is_the_spec_with_a_version" {
  command = plan
  assert {
    condition     = output.gateway_spec_versioned.contract_version == "1.0.0"
    error_message = "version"
  }
  assert {
    condition     = jsonencode({ for k, v in output.gateway_spec_versioned : k => v if k != "contract_version" }) == jsonencode(output.gateway_spec)
    error_message = "the two differ"
  }
}

run "H119_where_it_is_stays_open" {
  command = plan
  assert {
    condition     = output.gateway_spec.ingress_class == null && output.gateway_spec.address == null
    error_message = "placeholders"
  }
}

run "H120_an_overlay_fills_it" {
  command = plan
  variables {
    implementation = { ingress_class = "edge", address = "203.0.113.7" }
  }
  assert {
    condition     = output.gateway_spec.ingress_class == "edge"
    error_message = "ids"
  }
}

run "H117_prod_without_tls_is_refused" {
  command = plan
  variables {
    tls_secret = null
  }
  expect_failures = [var.tls_secret]
}

run "H117_a_short_host_is_refused" {
  command = plan
  variables {
    host = "chartly"
  }
  expect_failures = [var.host]
}

run "H117_a_path_without_a_slash_is_refused" {
  command = plan
  variables {
    routes = [{ path = "api" }]
  }
  expect_failures = [var.routes]
}

run "H117_a_path_twice_is_refused" {
  command = plan
  variables {
    routes = [{ path = "/" }, { path = "/" }]
  }
  expect_failures = [var.routes]
}
