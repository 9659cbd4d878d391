variables {
  name               = "chartly"
  environment        = "staging"
  kubernetes_version = "1.32"
  node_pools = {
    general = { cores = 4, memory_gib = 16, min_nodes = 2, max_nodes = 6 }
  }
}

run "H114_namespaces_ask_for_restricted_pods" {
  command = plan
  assert {
    condition     = output.cluster_spec.namespaces[0].labels["pod-security.kubernetes.io/enforce"] == "restricted"
    error_message = "level of the namespace"
  }
  assert {
    condition     = length(output.cluster_spec.node_pools["general"].labels) == 0
    error_message = "default labels"
  }
}

run "H118_the_versioned_spec_is_the_spec_with_a_version" {
  command = plan
  assert {
    condition     = output.cluster_spec_versioned.contract_version == "1.0.0"
    error_message = "version"
  }
  assert {
    condition     = jsonencode({ for k, v in output.cluster_spec_versioned : k => v if k != "contract_version" }) == jsonencode(output.cluster_spec)
    error_message = "the two differ"
  }
}

run "H119_where_it_is_stays_open" {
  command = plan
  assert {
    condition     = output.cluster_spec.cluster_id == null && output.cluster_spec.endpoint == null && output.cluster_spec.storage_class == null
    error_message = "placeholders"
  }
}

run "H120_an_overlay_fills_it" {
  command = plan
  variables {
    implementation = { cluster_id = "c-1", storage_class = "fast" }
  }
  assert {
    condition     = output.cluster_spec.cluster_id == "c-1" && output.cluster_spec.storage_class == "fast"
    error_message = "ids"
  }
}

run "H117_a_version_below_what_the_chart_needs_is_refused" {
  command = plan
  variables { kubernetes_version = "1.29" }
  expect_failures = [var.kubernetes_version]
}

run "H117_a_patch_number_is_refused" {
  command = plan
  variables { kubernetes_version = "1.32.1" }
  expect_failures = [var.kubernetes_version]
}

run "H117_no_nodes_are_refused" {
  command = plan
  variables { node_pools = {} }
  expect_failures = [var.node_pools]
}

run "H117_fewer_nodes_at_most_than_at_least_are_refused" {
  command = plan
  variables {
    node_pools = { general = { cores = 4, memory_gib = 16, min_nodes = 3, max_nodes = 2 } }
  }
  expect_failures = [var.node_pools]
}

run "H117_a_bad_namespace_is_refused" {
  command = plan
  variables { namespaces = ["Chartly"] }
  expect_failures = [var.namespaces]
}
