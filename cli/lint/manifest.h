// Kubernetes objects as they stand in files of YAML, with what rules ask of them. Plain value types; views and pointers
// into a manifest live as long as it.
#ifndef CHARTLY_CLI_LINT_MANIFEST_H_
#define CHARTLY_CLI_LINT_MANIFEST_H_

#include <initializer_list>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/profile/yaml_document.h"

namespace chartly::cli {

struct Manifest {
  std::string file;
  YamlNode root;

  std::string kind() const;
  // "StatefulSet/chartly-registry"
  std::string name() const;
  // The label app.kubernetes.io/component; empty without one.
  std::string component() const;
  // Whether it starts pods: Deployment, StatefulSet, DaemonSet, Job, CronJob, Pod.
  bool has_pods() const { return pod() != nullptr; }
  // Whether it keeps pods running: Deployment, StatefulSet, DaemonSet.
  bool is_workload() const;
  // The pod's spec; nullptr if it starts none.
  const YamlNode* pod() const;
  // Labels of the pods that it starts; nullptr if there are none.
  const YamlNode* pod_labels() const;
};

// What a path of keys leads to; nullptr if it ends early. An empty node is not the same as none.
const YamlNode* Look(const YamlNode* node, std::initializer_list<absl::string_view> path);
// The scalar there, as it is written; empty if there is none.
std::string TextAt(const YamlNode* node, std::initializer_list<absl::string_view> path);
// Whether the scalar there is the plain word `true` (or `false`).
bool IsTrue(const YamlNode* node, std::initializer_list<absl::string_view> path);
bool IsFalse(const YamlNode* node, std::initializer_list<absl::string_view> path);
// The items of the list there; empty if there is none.
const std::vector<YamlNode>& ItemsAt(const YamlNode* node, std::initializer_list<absl::string_view> path);
// All containers of a pod, those that run first included.
std::vector<const YamlNode*> ContainersOf(const YamlNode& pod);

// Whether all labels of the selector stand among `labels`. An empty selector selects nothing, as that of a Service.
bool Selects(const YamlNode* selector, const YamlNode* labels);

// Reads files, and every .yaml and .yml of folders, in order of their names; "-" is `input`. Objects of a List are
// taken out of it. InvalidArgument (MANIFEST_INVALID, with the line; MANIFEST_NOT_FOUND; MANIFEST_NONE if there is no
// object at all).
absl::StatusOr<std::vector<Manifest>> ReadManifests(const std::vector<std::string>& paths, std::istream& input);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_LINT_MANIFEST_H_
