#include "report.h"

#include <nlohmann/json.hpp>

#include "files.h"

namespace sut {

namespace {

using nlohmann::ordered_json;

ordered_json as_json(const std::vector<TensorSpec>& specs) {
    ordered_json list = ordered_json::array();
    for (const auto& spec : specs) {
        ordered_json shape = ordered_json::array();
        for (const auto& dim : spec.dims) {
            if (dim.open())
                shape.push_back(dim.name);
            else
                shape.push_back(dim.size);
        }
        list.push_back({{"name", spec.name}, {"dtype", name_of(spec.type)}, {"shape", shape}});
    }
    return list;
}

ordered_json as_json(const std::optional<Accuracy>& accuracy) {
    if (!accuracy) return nullptr;
    return {{"metric", name_of(accuracy->metric)},
            {"value", accuracy->value()},
            {"good", accuracy->good},
            {"total", accuracy->total},
            {"log_sha256", accuracy->log_sha256}};
}

}  // namespace

void write_report(const Harness& harness, const ReadyModel& model, const Measured& measured,
                  const std::optional<Accuracy>& accuracy) {
    const Signature& signature = model.backend->signature();
    const ordered_json report = {
        {"schema_version", 1},
        {"backend",
         {{"name", model.backend->name()},
          {"version", model.backend->version()},
          {"threads", harness.threads},
          {"batch_size", harness.batch_size},
          {"effective_batch_size", model.batch},
          {"workers", harness.lanes()}}},
        {"loadgen_version", loadgen_version()},
        {"python", nullptr},
        {"numpy", nullptr},
        {"compiler", SUT_COMPILER},
        {"dataset", model.dataset.name},
        {"inputs", as_json(signature.inputs)},
        {"outputs", as_json(signature.outputs)},
        {"qsl", {{"total", model.dataset.samples}, {"performance", measured.performance_samples}}},
        {"responses", {{"issued", measured.issued}, {"completed", measured.completed}}},
        {"accuracy", as_json(accuracy)}};
    const auto text = report.dump(1, ' ', false, ordered_json::error_handler_t::replace);
    write_text(joined(harness.output, "report.json"), text + "\n");
}

}  // namespace sut
