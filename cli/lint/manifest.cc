#include "cli/lint/manifest.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::cli {
namespace {

constexpr YamlLimits kLimits = {size_t{32} << 20, 64};

absl::Status TakeText(const std::string& file, const std::string& text, std::vector<Manifest>& manifests) {
  std::vector<ProfileFault> faults;
  std::vector<YamlNode> roots = ReadYamlStream(text, kLimits, faults);
  if (!faults.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "MANIFEST_INVALID",
                 absl::StrCat(file, ":", faults[0].line, ":", faults[0].column, ": ", faults[0].message));
  }
  for (YamlNode& root : roots) {
    if (TextAt(&root, {"kind"}) == "List") {
      for (const YamlNode& item : ItemsAt(&root, {"items"})) manifests.push_back({file, item});
    } else {
      manifests.push_back({file, std::move(root)});
    }
    const Manifest& last = manifests.back();
    if (!manifests.empty() && last.file == file && last.kind().empty()) {
      return Error(absl::StatusCode::kInvalidArgument, "MANIFEST_INVALID",
                   absl::StrCat(file, ":", last.root.line,
                                ": this is no Kubernetes object: it has no kind; give rendered manifests "
                                "(helm template ... | chartly lint deploy -)"));
    }
  }
  return absl::OkStatus();
}

absl::Status TakeFile(const std::filesystem::path& path, std::vector<Manifest>& manifests) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) {
    return Error(absl::StatusCode::kInvalidArgument, "MANIFEST_NOT_FOUND",
                 absl::StrCat(path.string(), " cannot be read; name files or folders of rendered manifests"));
  }
  return TakeText(path.string(), text, manifests);
}

absl::StatusOr<std::vector<std::filesystem::path>> FilesBelow(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string extension = it->path().extension().string();
    if (it->is_regular_file(error) && (extension == ".yaml" || extension == ".yml")) files.push_back(it->path());
  }
  if (error) {
    return Error(absl::StatusCode::kInvalidArgument, "MANIFEST_NOT_FOUND",
                 absl::StrCat(folder.string(), " cannot be read: ", error.message()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::string Manifest::kind() const { return TextAt(&root, {"kind"}); }
std::string Manifest::name() const { return absl::StrCat(kind(), "/", TextAt(&root, {"metadata", "name"})); }
std::string Manifest::component() const { return TextAt(&root, {"metadata", "labels", "app.kubernetes.io/component"}); }

bool Manifest::is_workload() const {
  const std::string kind = this->kind();
  return kind == "Deployment" || kind == "StatefulSet" || kind == "DaemonSet";
}

const YamlNode* Manifest::pod() const {
  const std::string kind = this->kind();
  if (kind == "Pod") return Look(&root, {"spec"});
  if (kind == "CronJob") return Look(&root, {"spec", "jobTemplate", "spec", "template", "spec"});
  if (kind == "Deployment" || kind == "StatefulSet" || kind == "DaemonSet" || kind == "Job" || kind == "ReplicaSet") {
    return Look(&root, {"spec", "template", "spec"});
  }
  return nullptr;
}

const YamlNode* Manifest::pod_labels() const {
  const std::string kind = this->kind();
  if (kind == "Pod") return Look(&root, {"metadata", "labels"});
  if (kind == "CronJob") return Look(&root, {"spec", "jobTemplate", "spec", "template", "metadata", "labels"});
  return Look(&root, {"spec", "template", "metadata", "labels"});
}

const YamlNode* Look(const YamlNode* node, std::initializer_list<absl::string_view> path) {
  for (absl::string_view key : path) {
    if (node == nullptr) return nullptr;
    node = node->Find(key);
  }
  return node;
}

std::string TextAt(const YamlNode* node, std::initializer_list<absl::string_view> path) {
  const YamlNode* found = Look(node, path);
  return found == nullptr ? "" : found->text;
}

namespace {

bool IsWord(const YamlNode* node, std::initializer_list<absl::string_view> path, absl::string_view word) {
  const YamlNode* found = Look(node, path);
  return found != nullptr && found->kind == YamlNode::Kind::kScalar && !found->quoted && found->text == word;
}

}  // namespace

bool IsTrue(const YamlNode* node, std::initializer_list<absl::string_view> path) { return IsWord(node, path, "true"); }
bool IsFalse(const YamlNode* node, std::initializer_list<absl::string_view> path) {
  return IsWord(node, path, "false");
}

const std::vector<YamlNode>& ItemsAt(const YamlNode* node, std::initializer_list<absl::string_view> path) {
  static const std::vector<YamlNode>* const kNone = new std::vector<YamlNode>();
  const YamlNode* found = Look(node, path);
  return found == nullptr ? *kNone : found->items;
}

std::vector<const YamlNode*> ContainersOf(const YamlNode& pod) {
  std::vector<const YamlNode*> containers;
  for (absl::string_view list : {"initContainers", "containers", "ephemeralContainers"}) {
    for (const YamlNode& container : ItemsAt(&pod, {list})) containers.push_back(&container);
  }
  return containers;
}

bool Selects(const YamlNode* selector, const YamlNode* labels) {
  if (selector == nullptr || selector->entries.empty() || labels == nullptr) return false;
  return std::all_of(selector->entries.begin(), selector->entries.end(), [labels](const YamlEntry& entry) {
    const YamlNode* label = labels->Find(entry.key);
    return label != nullptr && label->text == entry.value.text;
  });
}

absl::StatusOr<std::vector<Manifest>> ReadManifests(const std::vector<std::string>& paths, std::istream& input) {
  std::vector<Manifest> manifests;
  for (const std::string& path : paths) {
    if (path == "-") {
      std::string text((std::istreambuf_iterator<char>(input)), std::istreambuf_iterator<char>());
      RETURN_IF_ERROR(TakeText("(standard input)", text, manifests));
    } else if (std::filesystem::is_directory(path)) {
      ASSIGN_OR_RETURN(std::vector<std::filesystem::path> files, FilesBelow(path));
      for (const std::filesystem::path& file : files) RETURN_IF_ERROR(TakeFile(file, manifests));
    } else {
      RETURN_IF_ERROR(TakeFile(path, manifests));
    }
  }
  if (manifests.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "MANIFEST_NONE",
                 "there is no Kubernetes object here; name rendered manifests, or render a chart first "
                 "(helm template ... | chartly lint deploy -)");
  }
  return manifests;
}

}  // namespace chartly::cli
