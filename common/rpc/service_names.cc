#include "common/rpc/service_names.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>

#include <memory>

namespace chartly::rpc {
namespace {

// A builder calls its plugins on the thread that builds, so that is where the names wait for their server.
thread_local std::vector<std::string> built_names;

class NamesPlugin final : public grpc::ServerBuilderPlugin {
 public:
  std::string name() override { return "service_names"; }
  void InitServer(grpc::ServerInitializer*) override {}
  void Finish(grpc::ServerInitializer* initializer) override { built_names = *initializer->GetServiceList(); }
  void ChangeArguments(const std::string&, void*) override {}
};

std::unique_ptr<grpc::ServerBuilderPlugin> MakePlugin() { return std::make_unique<NamesPlugin>(); }

}  // namespace

void InstallServiceNames() { grpc::ServerBuilder::InternalAddPluginFactory(&MakePlugin); }

std::vector<std::string> BuiltServiceNames() { return built_names; }

}  // namespace chartly::rpc
