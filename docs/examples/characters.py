import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(1)
text = "she sells sea shells by the sea shore, and the shells she sells are sea shells."
ids = torch.tensor([ord(letter) for letter in text]).unsqueeze(1)

embedding, gru, output = nn.Embedding(128, 16), nn.GRU(16, 64), nn.Linear(64, 128)
parameters = [*embedding.parameters(), *gru.parameters(), *output.parameters()]
adam = torch.optim.Adam(parameters, lr=0.01)
for step in range(150):
    adam.zero_grad()
    logits = output(gru(embedding(ids[:-1]))[0])
    F.cross_entropy(logits.flatten(0, 1), ids[1:].flatten()).backward()
    adam.step()

said, letter, h = text[0], ids[:1], None
while len(said) < len(text):
    y, h = gru(embedding(letter), h)
    letter = output(y).argmax(-1)
    said += chr(letter.item())
print(said)
