#include <simdjson.h>

#include "absl/strings/str_cat.h"
#include "common/kube/kube_client.h"
#include "common/status/status.h"

namespace chartly::kube {
namespace {

using simdjson::dom::element;

// What is not there, or is of another kind, reads as empty: the API leaves out what it has nothing to say of.
std::string TextAt(const element& from, const char* pointer) {
  std::string_view text;
  if (from.at_pointer(pointer).get(text)) return "";
  return std::string(text);
}

int64_t NumberAt(const element& from, const char* pointer) {
  int64_t number = 0;
  if (from.at_pointer(pointer).get(number)) return 0;
  return number;
}

template <typename Use>
void Each(const element& from, const char* pointer, Use use) {
  simdjson::dom::array items;
  if (from.at_pointer(pointer).get(items)) return;
  for (element item : items) use(item);
}

void ReadContainers(const element& from, KubePod& pod) {
  std::map<std::string, size_t> places;
  Each(from, "/spec/containers", [&](const element& container) {
    KubeContainer made;
    made.name = TextAt(container, "/name");
    made.image = TextAt(container, "/image");
    places[made.name] = pod.containers.size();
    pod.containers.push_back(std::move(made));
    Each(container, "/ports", [&](const element& port) {
      const std::string name = TextAt(port, "/name");
      if (!name.empty()) pod.ports[name] = static_cast<int>(NumberAt(port, "/containerPort"));
    });
  });
  Each(from, "/status/containerStatuses", [&](const element& status) {
    auto place = places.find(TextAt(status, "/name"));
    if (place == places.end()) return;
    KubeContainer& container = pod.containers[place->second];
    container.has_status = true;
    container.image_id = TextAt(status, "/imageID");
    container.restarts = NumberAt(status, "/restartCount");
  });
}

KubePod ReadPod(const element& from) {
  KubePod pod;
  pod.name = TextAt(from, "/metadata/name");
  pod.uid = TextAt(from, "/metadata/uid");
  pod.resource_version = TextAt(from, "/metadata/resourceVersion");
  pod.generation = NumberAt(from, "/metadata/generation");
  pod.ending = !TextAt(from, "/metadata/deletionTimestamp").empty();
  pod.node = TextAt(from, "/spec/nodeName");
  pod.ip = TextAt(from, "/status/podIP");
  pod.phase = TextAt(from, "/status/phase");
  simdjson::dom::object labels;
  if (!from.at_pointer("/metadata/labels").get(labels)) {
    for (auto [name, value] : labels) {
      std::string_view text;
      if (!value.get(text)) pod.labels[std::string(name)] = std::string(text);
    }
  }
  Each(from, "/spec/readinessGates", [&](const element& gate) { pod.gates.push_back(TextAt(gate, "/conditionType")); });
  Each(from, "/status/conditions", [&](const element& condition) {
    pod.conditions[TextAt(condition, "/type")] = {TextAt(condition, "/status"), TextAt(condition, "/reason"),
                                                  TextAt(condition, "/message"),
                                                  NumberAt(condition, "/observedGeneration")};
  });
  ReadContainers(from, pod);
  return pod;
}

}  // namespace

absl::StatusOr<std::vector<KubePod>> ParsePods(absl::string_view json, std::string& next) {
  simdjson::dom::parser parser;
  element list;
  simdjson::dom::array items;
  if (parser.parse(json.data(), json.size()).get(list) || list.at_pointer("/items").get(items)) {
    return Error(absl::StatusCode::kDataLoss, "KUBE_ANSWER_INVALID",
                 "the API of Kubernetes answered with something that is no list of pods; check its address");
  }
  std::vector<KubePod> pods;
  for (element item : items) pods.push_back(ReadPod(item));
  next = TextAt(list, "/metadata/continue");
  return pods;
}

}  // namespace chartly::kube
