CREATE (root:Root), (root)-[:LEFT]->(:Leaf), (root)-[:RIGHT]->(:Leaf);
