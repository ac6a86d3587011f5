#include "model.h"

#include <cmath>
#include <cstring>
#include <new>
#include <set>

#include "fault.h"

namespace sut {

namespace {

constexpr int kWarmUps = 3;

// The first sample, as often as it takes.
class Example {
  public:
    Example(const Dataset& dataset, size_t most) {
        for (const auto& [name, array] : dataset.inputs) {
            const size_t bytes = array.row_bytes();
            auto& memory = memory_.emplace_back(most * bytes);
            for (size_t row = 0; row < most; ++row)
                std::memcpy(memory.data() + row * bytes, array.data, bytes);
            inputs_.push_back(memory.data());
        }
    }

    const Inputs& inputs() const { return inputs_; }

  private:
    std::vector<std::vector<std::byte>> memory_;
    Inputs inputs_;
};

// An output's numbers, which live longer than the next call.
struct Numbers {
    DType type;
    Shape shape;
    std::vector<double> values;

    explicit Numbers(const Output& output) : type(output.type), shape(output.shape) {
        const auto count = static_cast<size_t>(elements(shape));
        for (size_t place = 0; place < count; ++place) values.push_back(number_at(type, output.data, place));
    }
};

// Whether each row of `together` is what one sample gave alone; quantised kernels may round otherwise in a
// batch.
bool agree(const Numbers& alone, const Output& together, size_t rows) {
    if (alone.shape.empty() || alone.shape[0] != 1) return false;
    Shape wanted = alone.shape;
    wanted[0] = static_cast<int64_t>(rows);
    if (together.shape != wanted) return false;
    const bool whole_numbers =
        alone.type != DType::f16 && alone.type != DType::f32 && alone.type != DType::f64;
    double biggest = 0;
    for (const double value : alone.values)
        biggest = std::max(biggest, std::isnan(value) ? 0.0 : std::abs(value));
    const double slack = (whole_numbers ? 2.0 : 1e-6) + 0.02 * biggest;
    const size_t each = alone.values.size();
    for (size_t place = 0; place < rows * each; ++place) {
        const double one = alone.values[place % each], many = number_at(together.type, together.data, place);
        if (std::isnan(one) && std::isnan(many)) continue;
        if (one == many) continue;
        if (!(std::abs(one - many) <= slack + 0.02 * std::abs(one))) return false;
    }
    return true;
}

// Whether a batch of equal samples gives equal answers, the same as alone.
bool sound(Runner* runner, const Inputs& inputs) {
    const size_t rows = runner->batch();
    if (rows == 1) return true;
    std::vector<Numbers> alone;
    for (const auto& output : runner->run(inputs, 1)) alone.emplace_back(output);
    const Outputs& together = runner->run(inputs, rows);
    bool same = alone.size() == together.size();
    for (size_t place = 0; same && place < alone.size(); ++place)
        same = agree(alone[place], together[place], rows);
    return same;
}

// A runner for the batch that the graph answers rightly; nothing if there is no such.
std::unique_ptr<Runner> sound_runner(Backend* backend, const SampleForm& form, const Dataset& dataset,
                                     size_t batch) {
    try {
        auto runner = backend->runner(form, batch);
        return sound(runner.get(), Example(dataset, runner->batch()).inputs()) ? std::move(runner) : nullptr;
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception&) {
        return nullptr;
    }
}

void warm_up(const std::string& model, Runner* runner, const Inputs& inputs) {
    for (const size_t size : std::set<size_t>{1, runner->batch()})
        for (int turn = 0; turn < kWarmUps; ++turn)
            for (const auto& output : runner->run(inputs, size))
                if (output.shape.empty() || output.shape[0] != static_cast<int64_t>(size))
                    throw bad_input(model, "an output has shape " + written(output.shape) + " for " +
                                               std::to_string(size) + " samples");
}

// Runners for the batch asked for, or for single samples where the graph answers batches wrongly or not at
// all.
std::vector<std::unique_ptr<Runner>> fitted(Backend* backend, const Dataset& dataset,
                                            const Harness& harness) {
    SampleForm form;
    for (const auto& [name, array] : dataset.inputs) {
        form.shapes.emplace_back(array.shape.begin() + 1, array.shape.end());
        form.row_bytes.push_back(array.row_bytes());
    }
    auto batch = static_cast<size_t>(harness.batch_size);
    std::vector<std::unique_ptr<Runner>> runners;
    auto first = batch > 1 ? sound_runner(backend, form, dataset, batch) : nullptr;
    if (!first) {
        batch = 1;
        first = backend->runner(form, 1);
    }
    runners.push_back(std::move(first));
    while (runners.size() < static_cast<size_t>(harness.lanes()))
        runners.push_back(backend->runner(form, batch));
    const Example example(dataset, runners[0]->batch());
    for (const auto& runner : runners)
        warm_up(harness.model.value_or("null"), runner.get(), example.inputs());
    return runners;
}

}  // namespace

ReadyModel ready(const Harness& harness) {
    ReadyModel model;
    const std::string where = harness.model.value_or("");
    model.backend = open_backend(harness.backend, {where, harness.threads_per_lane(), harness.options});
    const Signature& signature = model.backend->signature();
    if (harness.dataset)
        model.dataset = bound(prepared(*harness.dataset), signature);
    else
        model.dataset =
            generated(signature, static_cast<size_t>(harness.generated_samples.value_or(1)), harness.options);
    try {
        model.runners = fitted(model.backend.get(), model.dataset, harness);
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const Fault& fault) {
        if (fault.exit_code() == kBadInput) throw;
        throw bad_input(where, std::string("fails on its first sample: ") + fault.what());
    } catch (const std::exception& error) {
        throw bad_input(where, std::string("fails on its first sample: ") + error.what());
    }
    model.batch = model.runners[0]->batch();
    return model;
}

}  // namespace sut
