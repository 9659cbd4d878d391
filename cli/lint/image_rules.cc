// What is run, and what hides it.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/lint/rule.h"
#include "re2/re2.h"

namespace chartly::cli {
namespace {

using Manifests = std::vector<Manifest>;

// "registry:5000/team/app:v1@sha256:..." gives "v1"; empty if there is no tag.
std::string TagOf(absl::string_view image) {
  image = image.substr(0, image.find('@'));
  const size_t slash = image.rfind('/');
  const size_t colon = image.find(':', slash == absl::string_view::npos ? 0 : slash);
  return colon == absl::string_view::npos ? "" : std::string(image.substr(colon + 1));
}

template <typename Check>
void EachImage(const Manifests& manifests, Check check) {
  for (const Manifest& manifest : manifests) {
    if (!manifest.has_pods()) continue;
    for (const YamlNode* container : ContainersOf(*manifest.pod())) {
      const YamlNode* image = Look(container, {"image"});
      check(manifest, *container, image == nullptr ? *container : *image, TagOf(TextAt(container, {"image"})));
    }
  }
}

void NotLatest(const Manifests& manifests, LintReport& report) {
  EachImage(manifests, [&](const Manifest& manifest, const YamlNode&, const YamlNode& image, const std::string& tag) {
    if (tag == "latest") report.Add(manifest, &image, "nobody can say what :latest is; name a version (:v1.2.3)");
  });
}

void AVersion(const Manifests& manifests, LintReport& report) {
  static const RE2* const kVersion = new RE2("v?\\d+\\.\\d+(\\.\\d+)?[\\w.-]*");
  EachImage(manifests, [&](const Manifest& manifest, const YamlNode&, const YamlNode& image, const std::string& tag) {
    if (tag == "latest" || RE2::FullMatch(tag, *kVersion)) return;
    report.Add(manifest, &image,
               tag.empty() ? "the image has no version; name one (:v1.2.3)"
                           : absl::StrCat("the tag ", tag, " moves; name a version (:v1.2.3)"));
  });
}

void NotPulledAgain(const Manifests& manifests, LintReport& report) {
  EachImage(manifests, [&](const Manifest& manifest, const YamlNode& container, const YamlNode&, const std::string&) {
    const YamlNode* policy = Look(&container, {"imagePullPolicy"});
    if (policy == nullptr || policy->text != "Always") return;
    report.Add(manifest, policy,
               "imagePullPolicy Always can start another image under the same name; use IfNotPresent");
  });
}

void NotRestartedByHand(const Manifests& manifests, LintReport& report) {
  for (const Manifest& manifest : manifests) {
    const YamlNode* mark =
        Look(&manifest.root, {"spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt"});
    if (mark != nullptr) {
      report.Add(manifest, mark,
                 "the pods were restarted by hand, which no one can repeat; change what they are to run");
    }
  }
}

void VersionIsTheImage(const Manifests& manifests, LintReport& report) {
  for (const Manifest& manifest : manifests) {
    const std::string version = TextAt(manifest.pod_labels(), {"app.kubernetes.io/version"});
    if (!manifest.has_pods() || version.empty()) continue;
    for (const YamlNode* container : ContainersOf(*manifest.pod())) {
      const std::string tag = TagOf(TextAt(container, {"image"}));
      if (tag.empty() || tag == version || tag == absl::StrCat("v", version)) continue;
      report.Add(manifest, Look(container, {"image"}),
                 absl::StrCat("the image is ", tag, " and its label app.kubernetes.io/version says ", version,
                              "; raise both together"));
    }
  }
}

}  // namespace

std::vector<LintRule> ImageRules() {
  return {{"P223", "no image is :latest", NotLatest},
          {"P224", "images are named by a version", AVersion},
          {"P225", "images are not pulled again under the same name", NotPulledAgain},
          {"P227", "no pod is restarted by hand", NotRestartedByHand},
          {"P228", "the version of a workload is that of its image", VersionIsTheImage}};
}

}  // namespace chartly::cli
